"""What the API offers of accounting; written from the description of the API, not by hand."""

from ctiscraper.client.accounting_types import AccountingReport
from ctiscraper.client.transport import Transport


class AccountingCalls(Transport):
    """The operations of accounting."""

    def get_accounting(
        self,
    ) -> AccountingReport:
        """The invariant in all and by source.

        Counted where each part is kept, so that a loss would show as an imbalance.

        May be five seconds old.

        Needs `operations:read`.
        """
        return self.call("GET", "/accounting", AccountingReport)
