"""What a model is told: the article between two lines that it cannot write."""

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.analysis.asked import ask, fence_for, repair_of, title_line, watched_terms
from ctiscraper.analysis.tasks import task_of


def test_a_marker_that_the_article_holds_is_not_taken() -> None:
    made = iter(["aa11", "bb22", "cc33"])
    assert fence_for(["it says AA11", "and bb22"], lambda: next(made)) == "cc33"


def test_the_article_stands_between_its_marks() -> None:
    asked = ask(task_of(TaskName.SUMMARY), "A title", "\nIts text.\n", "f00")
    lines = asked.question.splitlines()
    begin, end = lines.index("=== REPORT f00 BEGINS ==="), lines.index("=== REPORT f00 ENDS ===")
    assert lines[begin + 1 : end] == ["Title: A title", "", "Its text."]
    assert "Its text" not in asked.rules
    assert "Watched:" not in asked.question


def test_a_title_and_what_is_watched_stay_on_their_lines() -> None:
    assert title_line("a\nb\t c" + "d" * 500) == "a b c" + "d" * 295
    assert watched_terms(["a\nb", "a b", "", "\u200b", "[x](y)"]) == ("a b", "x")
    many = [f"thing-{n:03}" for n in range(500)]
    assert watched_terms(many) == tuple(many[:50])
    chosen = watched_terms(many, "Of Thing-499 and thing-070, not of thing-5.")
    assert chosen == ("thing-070", "thing-499", *many[:48])


def test_a_second_question_lists_what_was_wrong() -> None:
    assert "- one\n- two\n" in repair_of(["one", "two"])
