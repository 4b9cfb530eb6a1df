"""What the API offers of operations; written from the description of the API, not by hand."""

from ctiscraper.client.operations_types import OperationsReport
from ctiscraper.client.transport import Transport


class OperationsCalls(Transport):
    """The operations of operations."""

    def get_operations(
        self,
    ) -> OperationsReport:
        """The work as it stands, and what is amiss.

        May be two seconds old; sums over a day and of ended items half a minute or more.

        A database that does not answer is told here too: then there is no `work`.
        """
        return self.call("GET", "/operations", OperationsReport)
