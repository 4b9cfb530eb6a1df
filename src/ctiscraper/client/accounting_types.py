"""Types of accounting; written from the description of the API, not by hand."""

from msgspec import Struct

from ctiscraper.client.shared_types import Accounting, SourceRef


class SourceAccounting(Struct, frozen=True, kw_only=True):
    """The invariant of one source."""

    source: SourceRef
    removed: bool
    accounting: Accounting


class AccountingReport(Struct, frozen=True, kw_only=True):
    """The invariant in all and for each source."""

    total: Accounting
    sources: tuple[SourceAccounting, ...]
