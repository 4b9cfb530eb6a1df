"""Labels against claims: what is found, what is one too many, what is missed."""

from ctiscraper.analysis.analysed import Analysis, Claim, Quote, TaskName
from ctiscraper.analysis.labelled import LabelledArticle
from ctiscraper.analysis.scored import Scored, summed

ARTICLE = LabelledArticle(
    name="a",
    title="Kopf",
    text="First fact. Second fact. Idle words. A trace.",
    language="de",
    facts=("First fact", "Second fact"),
    traces=("A trace",),
    techniques=frozenset({"T1", "T2"}),
    names=frozenset({"Otter"}),
    watched={"ports": True, "banks": False},
    english=("title",),
)


def claim(quoted: str, text: str = "x", **fields: str) -> Claim:
    at = ARTICLE.text.index(quoted)
    return Claim(text=text, quotes=(Quote(quoted, at, at + len(quoted)),), fields=fields)


def counted(task: TaskName, *claims: Claim) -> tuple[int, int, int]:
    done = ARTICLE.scored(task, analysis(task, *claims))
    return done.right, done.extra, done.missed


def analysis(task: TaskName, *claims: Claim, repaired: bool = False) -> Analysis:
    return Analysis(
        task=task, prompt_version="v", model="m", claims=claims, dropped=1, hidden=0,
        repaired=repaired, prompt_tokens=5, answer_tokens=2, seconds=1.5, why={"unquoted": 1},
    )  # fmt: skip


def test_facts_are_found_by_what_is_quoted() -> None:
    for task in (TaskName.SUMMARY, TaskName.KEY_POINTS):
        assert counted(task, claim("fact. Second"), claim("Idle words")) == (2, 1, 0)
        assert counted(task) == (0, 0, 2)
    assert counted(TaskName.DETECTIONS, claim("A trace"), claim("First fact")) == (1, 1, 0)


def test_fields_are_compared() -> None:
    made = [claim("A trace", technique=one) for one in ("T1", "T3")]
    assert counted(TaskName.TECHNIQUES, *made) == (1, 1, 1)
    sides = {"subject_kind": "actor", "object_kind": "target", "verb": "targets"}
    made = [claim("A trace", subject="OTTER", object="somebody", **sides)]
    assert counted(TaskName.RELATIONS, *made) == (1, 0, 0)
    made = [claim("A trace", watched=one) for one in ("ports", "banks")]
    assert counted(TaskName.RELEVANCE, *made) == (1, 1, 0)


def test_a_translation_has_its_words_or_is_wrong() -> None:
    assert counted(TaskName.TITLE, claim("A trace", "A Title")) == (1, 0, 0)
    assert counted(TaskName.TITLE, claim("A trace", "A heading")) == (0, 1, 1)
    assert counted(TaskName.TITLE) == (0, 0, 1)


def test_a_perfect_answer_finds_so_much() -> None:
    wanted = {TaskName.SUMMARY: 2, TaskName.KEY_POINTS: 2, TaskName.DETECTIONS: 1,
              TaskName.TECHNIQUES: 2, TaskName.RELATIONS: 1, TaskName.RELEVANCE: 1,
              TaskName.TITLE: 1}  # fmt: skip
    assert {task: ARTICLE.labels(task) for task in TaskName} == wanted


def test_a_sum_counts_answers_claims_and_costs() -> None:
    task = TaskName.SUMMARY
    done = summed(task, "v", [
        Scored(article="a", analysis=analysis(task, claim("A trace"), repaired=True), extra=1),
        Scored(article="b", analysis=analysis(task), missed=1),
        Scored(article="c", analysis=None, fault="cut_off", missed=2),
    ])  # fmt: skip
    assert (done.asked, done.first, done.repaired, done.faults) == (3, 1, 1, {"cut_off": 1})
    assert (done.claims, done.dropped, done.missed) == (1, {"unquoted": 2}, 3)
    assert (round(done.faithful, 3), round(done.kept, 3)) == (0.333, 0.333)
    assert (done.seconds, done.prompt_tokens, done.answer_tokens) == ((1.5, 1.5), 10, 4)
