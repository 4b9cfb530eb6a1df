"""What models said of an article, as commands print it."""

from collections.abc import Iterator

from ctiscraper.analysis.analysed import RULES
from ctiscraper.cli.output import counted, moment, print_facts, print_lines, print_text
from ctiscraper.cli.texts import on_a_line
from ctiscraper.fault_words import dropped_words, failed_parts_words, said_of
from ctiscraper.model_views import AnalysisRow, AnalysisState, AnalysisView, ClaimView, Compared
from ctiscraper.web.model_words import state_words, task_words

_GUESSED = (
    "What follows was written by a program that can be wrong. Each claim stands with the words of "
    "the article that it rests on; what had none was left out."
)
_GUESSED_RULES = (
    "What follows was written by a program that can be wrong. Each rule is valid, matches what the "
    "article shows and nothing ordinary; what did not was left out. None is a draft before "
    "somebody adds it."
)
_LONGEST_RAW = 2000


def print_analysis(row: AnalysisRow) -> None:
    """Print one analysis with all that is known of it."""
    one = row.analysis
    print_facts([("Article", f"{one.article_id}: {on_a_line(row.title)}"), *_facts(one)])
    _print_answer(one)
    if one.raw:
        print_lines(["", "The model answered:", on_a_line(one.raw[:_LONGEST_RAW], _LONGEST_RAW)])


def print_compared(found: Compared) -> None:
    """Print what two models made of an article, task by task."""
    if not found.tasks:
        print_lines(["No model was asked about the text that the article has now."])
        return
    if not found.right:
        print_lines([f"Only {found.left} was asked: ask another, and both stand here."])
    for task in found.tasks:
        sides = ((found.left, task.left), (found.right, task.right))
        for name, side in sides:
            if not name:
                continue
            print_lines(["", f"{task_words(task.task)}, by {name}"])
            if side is None:
                print_lines(["It was not asked this."])
                continue
            print_facts(fact for fact in _facts(side) if fact[0] != "Task")
            _print_answer(side)


def _facts(one: AnalysisView) -> Iterator[tuple[str, object]]:
    yield "Task", task_words(one.task)
    yield "By a model", f"{one.model}, prompt {one.prompt_version}"
    yield "Analysis", f"{one.id}{'' if one.current else ', of an earlier text'}"
    yield "State", state_words(one)
    yield "Asked", f"{moment(one.asked_at)}{f' by {one.asked_by}' if one.asked_by else ''}"
    yield "Not before", moment(one.again_at)
    yield "Tried", counted(one.attempts, "time") if one.attempts > 1 else ""
    yield "Ended", moment(one.ended_at)
    yield "Took", f"{one.seconds:.1f} s" if one.seconds else ""
    yield "Parts read", one.parts or ""
    if one.copied_from:
        yield "Copied", f"as answered for the same words in analysis {one.copied_from}"
    yield "Cost", f"{one.prompt_tokens + one.answer_tokens:,} tokens, {one.cost:.4f}"


def _print_answer(one: AnalysisView) -> None:
    """Print what an analysis says, marked as a program's, and what of it was left out."""
    if one.fault is not None and one.state in {AnalysisState.FAILED, AnalysisState.PENDING}:
        print_lines([f"{said_of(one.fault)}: {one.detail}", f"What to do: {one.advice}."])
    elif one.state is AnalysisState.CANCELLED and one.detail:
        print_lines([f"Why: {one.detail}."])
    if one.claims:
        print_lines(["", _GUESSED_RULES if one.task == RULES else _GUESSED])
    for claim in one.claims:
        _print_claim(claim)
    left_out = [*_left_out(one)]
    if left_out:
        print_lines(["", *left_out])


def _print_claim(claim: ClaimView) -> None:
    fields = [(name, value) for name, value in claim.fields.items() if value and name != "rule"]
    told = "; ".join(f"{name}: {value}" for name, value in fields)
    print_lines(["", f"{claim.number}. {claim.text}", *([told] if told else [])])
    print_lines(f"   > {quote.text}" for quote in claim.quotes)
    if claim.good or claim.bad:
        mine = {True: "; you: right", False: "; you: wrong", None: ""}[claim.mine]
        print_lines([f"   Held to be right by {claim.good}, wrong by {claim.bad}{mine}."])
    if "rule" in claim.fields:
        print_text(f"\n{claim.fields['rule']}")


def _left_out(one: AnalysisView) -> Iterator[str]:
    if one.dropped and one.task == RULES:
        yield f"{counted(one.dropped, 'rule')} left out."
    elif one.dropped:
        yield f"{counted(one.dropped, 'claim')} left out, as the text does not prove it."
    for why in dropped_words(one.why):
        yield f"   {why}"
    if one.hidden:
        yield (
            f"{counted(one.hidden, 'character')} of the text that no reader sees: not shown to "
            "the model."
        )
    if one.unread:
        yield f"{counted(one.unread, 'character')} of the text not read, as it is long."
    if one.failed_parts:
        yield f"{failed_parts_words(one.failed_parts, one.parts)}."
    if one.repaired and one.state is AnalysisState.DONE:
        yield "The first answer could not be used: it was asked once more."
