"""Thumbs make sets: what counts as said again, and what is left out of a set."""

from dataclasses import replace

from ctiscraper.analysis.analysed import Analysis, Claim, Quote, TaskName
from ctiscraper.analysis.judged import (
    JudgedArticle,
    JudgedSet,
    LeftOut,
    Thumbed,
    ThumbedText,
    judged_set,
)
from ctiscraper.types import Tlp

TITLE = "Otter greift zwei Banken an"
TEXT = (
    "Quiet Otter wiped the disks of two ports. Nobody paid the ransom. "
    "The wiper came as a scheduled task named HarborSync."
)
WIPED = "Quiet Otter wiped the disks of two ports"
PAID = "Nobody paid the ransom"
TASKED = "a scheduled task named HarborSync"


def claim(text: str, quoted: str = WIPED, **fields: str) -> Claim:
    held = TITLE if quoted == TITLE else TEXT
    at = held.find(quoted)
    return Claim(text=text, quotes=(Quote(quoted, at, at + len(quoted)),), fields=fields)


def thumb(
    made: Claim, task: TaskName = TaskName.SUMMARY, *, good: int = 0, bad: int = 0
) -> Thumbed:
    return Thumbed(task=task, claim=made, good=good, bad=bad)


def text_of(*thumbs: Thumbed, text: str = TEXT, least: Tlp = Tlp.CLEAR) -> ThumbedText:
    return ThumbedText(number=7, title=TITLE, text=text, language="en", least=least, thumbed=thumbs)


def article(*thumbs: Thumbed) -> JudgedArticle:
    [one] = judged_set([text_of(*thumbs)]).articles
    return one


def counted(judged: JudgedArticle, task: TaskName, *claims: Claim) -> tuple[int, int, int]:
    made = Analysis(
        task=task, prompt_version="v", model="m", claims=claims, dropped=0, hidden=0,
        repaired=False, prompt_tokens=1, answer_tokens=1, seconds=1.0,
    )  # fmt: skip
    done = judged.scored(task, made)
    assert (done.article, done.analysis) == ("article 7", made)
    return done.right, done.extra, done.missed


def test_a_right_claim_is_found_by_the_fact_that_it_quotes() -> None:
    judged = article(
        thumb(claim("Two ports were wiped."), good=1),
        thumb(claim("No ransom was paid.", PAID), good=2, bad=1),
    )
    task = TaskName.SUMMARY
    assert counted(judged, task, claim("Disks at ports lost their data.")) == (1, 0, 1)
    assert counted(judged, task) == (0, 0, 2)
    assert judged.labels(task) == 2
    # What nobody judged is neither right nor wrong.
    assert counted(judged, task, claim("It came as a task.", TASKED)) == (0, 0, 2)


def test_a_wrong_claim_counts_where_it_is_said_again_in_like_words() -> None:
    judged = article(
        thumb(claim("The otter group wiped two banks and ports."), bad=1),
        thumb(claim("Two ports lost their disks."), good=1),
    )
    task = TaskName.SUMMARY
    again = claim("Otter group wiped two banks, ports.")
    assert counted(judged, task, again) == (0, 1, 1)
    assert counted(judged, task, claim("Two ports lost their disks to a wiper.")) == (1, 0, 0)
    assert counted(judged, task, again, claim("Ports were hit.")) == (1, 1, 0)
    only_wrong = article(thumb(claim("The otter group wiped two banks and ports."), bad=1))
    assert counted(only_wrong, task, claim("Ports were hit.")) == (0, 0, 0)
    assert only_wrong.labels(task) == 0


def test_tasks_with_fields_are_compared_by_them() -> None:
    judged = article(
        thumb(claim("It wiped.", technique="T1561"), TaskName.TECHNIQUES, good=1),
        thumb(claim("It wiped.", technique="T1486"), TaskName.TECHNIQUES, bad=1),
        thumb(claim("x", watched="ports", degree="high"), TaskName.RELEVANCE, good=1),
        thumb(claim("x", watched="banks", degree="low"), TaskName.RELEVANCE, bad=1),
    )
    said = [claim("Other words.", PAID, technique=one) for one in ("T1561", "T1486", "T1059")]
    assert counted(judged, TaskName.TECHNIQUES, *said) == (1, 1, 0)
    assert judged.shown().watched == ("ports", "banks")
    milder = claim("x", watched="ports", degree="low")
    assert counted(judged, TaskName.RELEVANCE, milder) == (0, 0, 1)
    assert judged.is_for(TaskName.RELEVANCE)
    assert not judged.is_for(TaskName.RELATIONS)


def test_translations_are_compared_by_their_words() -> None:
    judged = article(thumb(claim("Otter attacks two banks", TITLE), TaskName.TITLE, good=1))
    same = claim("Otter attacks two banks", TITLE)
    assert counted(judged, TaskName.TITLE, same) == (1, 0, 0)
    assert counted(judged, TaskName.TITLE, claim("Fish greets couches", TITLE)) == (0, 0, 1)


def test_votes_are_summed_and_a_tie_is_left_out() -> None:
    made = judged_set(
        [
            text_of(
                thumb(claim("Two ports were wiped."), good=1),
                thumb(claim("TWO PORTS were wiped.", PAID), bad=1),
                thumb(claim("So it is.", PAID), good=1),
                thumb(claim("x", technique="T1561"), TaskName.TECHNIQUES, good=2),
                thumb(claim("y", technique="T1561"), TaskName.TECHNIQUES, bad=3),
            )
        ]
    )
    assert made.left_out == {LeftOut.UNDECIDED: 1}
    [one] = made.articles
    assert {(c.task, c.is_right) for c in one.judged} == {
        (TaskName.SUMMARY, True),
        (TaskName.TECHNIQUES, False),
    }
    assert made.claims == 2


def test_words_are_looked_up_where_they_stand_now() -> None:
    moved = f"A new opening. {TEXT.replace('Nobody paid', 'They all paid')}"
    thumbs = (thumb(claim("Wiped."), good=1), thumb(claim("Unpaid.", PAID), good=1))
    made = judged_set([text_of(*thumbs, text=moved)])
    assert made.left_out == {LeftOut.REVISED: 1}
    [one] = made.articles
    [quote] = one.judged[0].claim.quotes
    assert moved[quote.start : quote.end] == quote.text == WIPED
    gone = judged_set([text_of(*thumbs, text="Withdrawn.")])
    assert (gone.articles, gone.left_out) == ((), {LeftOut.REVISED: 2})


def test_what_is_too_guarded_is_left_out_for_a_remote_server_alone() -> None:
    thumbs = (thumb(claim("Wiped."), good=1),)
    texts = [text_of(*thumbs, least=Tlp.AMBER), text_of(*thumbs, text=f"{TEXT} TLP:RED")]
    assert len(judged_set(texts).articles) == 2
    held = judged_set(texts, Tlp.GREEN)
    assert (held.articles, held.left_out) == ((), {LeftOut.GUARDED: 2})


def test_a_set_has_a_version_of_its_own() -> None:
    def version(*texts: ThumbedText) -> str:
        made = judged_set(texts)
        assert isinstance(made, JudgedSet)
        return made.version

    one = text_of(thumb(claim("Wiped."), good=1))
    assert version(one) == version(one)
    assert version(one).startswith("thumbs-")
    other = text_of(thumb(claim("Wiped."), bad=1))
    assert len({version(one), version(other), version(replace(one, number=8)), version()}) == 4
