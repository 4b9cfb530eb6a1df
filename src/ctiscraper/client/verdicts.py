"""What the API offers of verdicts; written from the description of the API, not by hand."""

from msgspec import UNSET, UnsetType

from ctiscraper.client.shared_types import Kind, Name, TeamVerdict, VerdictInput
from ctiscraper.client.transport import Transport, path_part
from ctiscraper.client.verdicts_types import Scope, VerdictIn, VerdictPage


class VerdictsCalls(Transport):
    """The operations of verdicts."""

    def list_verdicts(
        self,
        *,
        standing: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> VerdictPage:
        """Decisions, latest first.

        Undone ones too, unless only those that hold are asked for.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            "/verdicts",
            VerdictPage,
            query={"standing": standing, "cursor": cursor, "limit": limit},
        )

    def make_verdict(
        self,
        *,
        value: str,
        verdict: VerdictInput,
        scope: Scope | UnsetType = UNSET,
        kind: Kind | Name | UnsetType | None = UNSET,
        source: str | UnsetType | None = UNSET,
        reason: str | UnsetType = UNSET,
    ) -> TeamVerdict:
        """Decide of a value, a domain, or a value in one source.

        It holds for all articles, past and future; one of the same scope and value is undone.

        Needs `verdict:write`.
        """
        return self.call(
            "POST",
            "/verdicts",
            TeamVerdict,
            body=VerdictIn(
                value=value, verdict=verdict, scope=scope, kind=kind, source=source, reason=reason
            ),
        )

    def undo_verdict(
        self,
        verdict_id: int,
    ) -> TeamVerdict:
        """Undo a decision.

        It stays on record, and holds no more; undoing it twice changes nothing.

        Needs `verdict:write`.
        """
        return self.call("DELETE", f"/verdicts/{path_part(verdict_id)}", TeamVerdict)
