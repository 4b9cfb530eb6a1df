"""What the API offers of models; written from the description of the API, not by hand."""

from msgspec import UNSET, UnsetType

from ctiscraper.client.models_types import (
    AnalysisAsked,
    AnalysisPage,
    AnalysisRow,
    Compared,
    JudgementIn,
    ModelReport,
    TaskName,
)
from ctiscraper.client.shared_types import AnalysisState, ArticleAnalyses, Counted, ModelFault
from ctiscraper.client.transport import Transport, path_part


class ModelsCalls(Transport):
    """The operations of models."""

    def list_article_analyses(
        self,
        article_id: int,
    ) -> ArticleAnalyses:
        """What models said of an article.

        Of its present text first; each claim with the words of the text that prove it.

        Needs `article:read`.
        """
        return self.call("GET", f"/articles/{path_part(article_id)}/analyses", ArticleAnalyses)

    def ask_model(
        self,
        article_id: int,
        *,
        tasks: tuple[TaskName, ...],
        model: str | UnsetType = UNSET,
        again: bool | UnsetType = UNSET,
    ) -> ArticleAnalyses:
        """Have a model asked about an article.

        It is asked before what waits by itself; what has an answer already keeps it.

        Needs `analysis:write`.
        """
        return self.call(
            "POST",
            f"/articles/{path_part(article_id)}/analyses",
            ArticleAnalyses,
            body=AnalysisAsked(tasks=tasks, model=model, again=again),
        )

    def compare_models(
        self,
        article_id: int,
        *,
        left: str | None = None,
        right: str | None = None,
    ) -> Compared:
        """Two models on one article.

        Of its present text, task by task.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            f"/articles/{path_part(article_id)}/analyses/compare",
            Compared,
            query={"left": left, "right": right},
        )

    def list_analyses(
        self,
        *,
        state: AnalysisState | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> AnalysisPage:
        """Analyses, the newest first.

        Of all articles; one that is asked anew keeps its place.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            "/analyses",
            AnalysisPage,
            query={"state": state, "cursor": cursor, "limit": limit},
        )

    def cancel_analyses(
        self,
    ) -> Counted:
        """Ask nothing more that waits or is being answered.

        New articles are asked about all the same.

        Needs `queue:write`.
        """
        return self.call("POST", "/analyses/cancel", Counted)

    def retry_analyses(
        self,
        *,
        fault: ModelFault | None = None,
    ) -> Counted:
        """Ask once more all that failed.

        With all their attempts, behind what people ask one by one; `fault` leaves out others.

        Needs `queue:write`.
        """
        return self.call("POST", "/analyses/retry", Counted, query={"fault": fault})

    def get_analysis(
        self,
        analysis_id: int,
    ) -> AnalysisRow:
        """One analysis.

        With what the model answered where that could not be used.

        Needs `article:read`.
        """
        return self.call("GET", f"/analyses/{path_part(analysis_id)}", AnalysisRow)

    def cancel_analysis(
        self,
        analysis_id: int,
    ) -> AnalysisRow:
        """Ask no more.

        A question that is being answered is broken off.

        Needs `analysis:write`.
        """
        return self.call("POST", f"/analyses/{path_part(analysis_id)}/cancel", AnalysisRow)

    def retry_analysis(
        self,
        analysis_id: int,
    ) -> AnalysisRow:
        """Ask once more.

        With all its attempts, whatever it had before.

        Needs `analysis:write`.
        """
        return self.call("POST", f"/analyses/{path_part(analysis_id)}/retry", AnalysisRow)

    def judge_claim(
        self,
        analysis_id: int,
        *,
        claim: int,
        good: bool | None,
        note: str | UnsetType = UNSET,
        seen: str | UnsetType = UNSET,
    ) -> AnalysisRow:
        """Say what you think of a claim.

        It feeds the sets that models are evaluated by; said again it replaces the last.

        Needs `analysis:write`.
        """
        return self.call(
            "POST",
            f"/analyses/{path_part(analysis_id)}/feedback",
            AnalysisRow,
            body=JudgementIn(claim=claim, good=good, note=note, seen=seen),
        )

    def get_models(
        self,
    ) -> ModelReport:
        """The state of all that models do.

        Queue, server, budgets, cost, thumbs and evaluations; without a model it says so.

        Needs `operations:read`.
        """
        return self.call("GET", "/models", ModelReport)
