"""What the API offers of detections; written from the description of the API, not by hand."""

from typing import Literal

from msgspec import UNSET, UnsetType

from ctiscraper.client.detections_types import (
    Checked,
    DecisionIn,
    Detection,
    DetectionPage,
    DetectionSummary,
    Drafting,
    DraftState,
    Grade,
    Origin,
    Query,
    RuleIn,
    RulesAsked,
    RuleText,
    RuleToConvert,
    Target,
)
from ctiscraper.client.shared_types import ArticleAnalyses
from ctiscraper.client.transport import Transport, path_part


class DetectionsCalls(Transport):
    """The operations of detections."""

    def list_article_detections(
        self,
        article_id: int,
    ) -> tuple[DetectionSummary, ...]:
        """The detections drafted from an article.

        In the order in which they were drafted.

        Needs `article:read`.
        """
        return self.call(
            "GET", f"/articles/{path_part(article_id)}/detections", tuple[DetectionSummary, ...]
        )

    def draft_detections(
        self,
        article_id: int,
    ) -> Drafting:
        """Draft detections from an article.

        Only rules that are valid, match what the article shows and nothing ordinary.

        What gave none is told with its reason. What people changed or decided stays.

        Needs `detection:write`.
        """
        return self.call("POST", f"/articles/{path_part(article_id)}/detections", Drafting)

    def ask_for_rules(
        self,
        article_id: int,
        *,
        model: str | UnsetType = UNSET,
        again: bool | UnsetType = UNSET,
    ) -> ArticleAnalyses:
        """Have a model asked for detections from an article.

        What it is asked is an analysis like others: read, cancelled and asked again as they
        are.

        Its claims are the rules that the article bears out, each in `fields.rule`. None is a
        detection before somebody adds it.

        Needs `detection:write`.
        """
        return self.call(
            "POST",
            f"/articles/{path_part(article_id)}/detections/model",
            ArticleAnalyses,
            body=RulesAsked(model=model, again=again),
        )

    def keep_rules(
        self,
        analysis_id: int,
    ) -> Drafting:
        """Add a model's rules to the detections of their article.

        Those that hold on the article as it is now, marked as made by a model.

        Needs `detection:write`.
        """
        return self.call("POST", f"/analyses/{path_part(analysis_id)}/detections", Drafting)

    def list_detections(  # noqa: PLR0913 - the fields of the API
        self,
        *,
        article: int | None = None,
        state: DraftState | None = None,
        origin: Origin | None = None,
        level: Literal["informational", "low", "medium", "high", "critical"] | None = None,
        grade: Grade | None = None,
        category: str | None = None,
        technique: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> DetectionPage:
        """Detections, the newest first.

        Narrowed by article, state, origin, level, grade, category and technique.

        Needs `article:read`.
        """
        return self.call(
            "GET",
            "/detections",
            DetectionPage,
            query={
                "article": article,
                "state": state,
                "origin": origin,
                "level": level,
                "grade": grade,
                "category": category,
                "technique": technique,
                "cursor": cursor,
                "limit": limit,
            },
        )

    def check_rule(
        self,
        *,
        yaml: str,
        article: int | UnsetType | None = UNSET,
    ) -> Checked:
        """Check a rule.

        By pySigma, on the events of an article if one is named, and on ordinary ones.

        Nothing is kept. A text that is no rule has that as its issue.

        Needs `article:read`.
        """
        return self.call(
            "POST", "/detections/check", Checked, body=RuleIn(yaml=yaml, article=article)
        )

    def convert_rule(
        self,
        *,
        yaml: str,
        target: Target,
    ) -> Query:
        """Convert a rule.

        Into one query language; `failure` says why it cannot be. Nothing is kept.

        Needs `article:read`.
        """
        return self.call(
            "POST", "/detections/convert", Query, body=RuleToConvert(yaml=yaml, target=target)
        )

    def export_detections(  # noqa: PLR0913 - the fields of the API
        self,
        *,
        article: int | None = None,
        state: DraftState | None = None,
        origin: Origin | None = None,
        level: Literal["informational", "low", "medium", "high", "critical"] | None = None,
        grade: Grade | None = None,
        category: str | None = None,
        technique: str | None = None,
    ) -> bytes:
        """The accepted detections as an archive.

        A file of YAML each, narrowed as the list is.

        Needs `article:export`.
        """
        return self.call(
            "GET",
            "/detections/export.zip",
            bytes,
            query={
                "article": article,
                "state": state,
                "origin": origin,
                "level": level,
                "grade": grade,
                "category": category,
                "technique": technique,
            },
        )

    def get_rule(
        self,
        detection_id: int,
    ) -> bytes:
        """A detection as a Sigma rule.

        As it is now, accepted or not.

        Needs `article:export`.
        """
        return self.call("GET", f"/detections/{path_part(detection_id)}.yml", bytes)

    def get_detection(
        self,
        detection_id: int,
    ) -> Detection:
        """One detection.

        Its text, the words that it rests on, and all that was found out about it.

        Its `ETag` goes into `If-Match` of a change.

        Needs `article:read`.
        """
        return self.call("GET", f"/detections/{path_part(detection_id)}", Detection)

    def edit_detection(
        self,
        detection_id: int,
        *,
        version: int | None = None,
        yaml: str,
    ) -> Detection:
        """Change a detection's rule.

        Checked anew; what was decided of it before holds no more.

        Needs `If-Match` or `version`; whoever was slower is told who was quicker (409).

        Needs `detection:write`.
        """
        return self.call(
            "PUT",
            f"/detections/{path_part(detection_id)}",
            Detection,
            query={"version": version},
            body=RuleText(yaml=yaml),
        )

    def decide_detection(
        self,
        detection_id: int,
        *,
        state: DraftState,
        version: int,
    ) -> Detection:
        """Accept or reject a detection.

        Only a sound rule is accepted; `draft` opens it again.

        Needs `detection:accept`.
        """
        return self.call(
            "POST",
            f"/detections/{path_part(detection_id)}/decision",
            Detection,
            body=DecisionIn(state=state, version=version),
        )
