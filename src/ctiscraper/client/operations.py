"""What the API offers of operations; written from the description of the API, not by hand."""

from ctiscraper.client.operations_types import (
    OperationsReport,
    PackRow,
    RetentionReport,
    ShownSetting,
)
from ctiscraper.client.transport import Transport


class OperationsCalls(Transport):
    """The operations of operations."""

    def get_operations(
        self,
    ) -> OperationsReport:
        """The work as it stands, and what is amiss.

        May be two seconds old; sums over a day and of ended items half a minute or more.

        How old those are `summed_seconds` tells, null where they could not be made and so say
        nothing; `sums_fault` is what kept the last try from its end.

        A database that does not answer is told here too: then there is no `work`.

        Needs `operations:read`.
        """
        return self.call("GET", "/operations", OperationsReport)

    def list_packs(
        self,
    ) -> tuple[PackRow, ...]:
        """The data packs that are kept.

        Those of a name together, the one in use first; the command line updates them.

        Needs `operations:read`.
        """
        return self.call("GET", "/packs", tuple[PackRow, ...])

    def get_retention(
        self,
    ) -> RetentionReport:
        """What is kept how long.

        And about how much there is, and what the next run would remove.

        Needs `operations:read`.
        """
        return self.call("GET", "/retention", RetentionReport)

    def list_settings(
        self,
    ) -> tuple[ShownSetting, ...]:
        """Settings of the server.

        Each with where its value comes from; of secrets only whether they are set.

        Needs `settings:read`.
        """
        return self.call("GET", "/settings", tuple[ShownSetting, ...])
