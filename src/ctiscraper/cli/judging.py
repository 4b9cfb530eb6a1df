"""`eval --only verdicts`: how well indicators are parted from what texts only mention."""

from collections.abc import Iterable
from pathlib import Path

from ctiscraper.cli.output import counted, print_json, print_lines, print_table
from ctiscraper.enrich.evaluate_verdicts import (
    Tally,
    VerdictEvaluation,
    Wrong,
    bundled_reports,
    evaluate_verdicts,
    reports_in,
)
from ctiscraper.enrich.features import points_of
from ctiscraper.enrich.verdicts import Verdicts
from ctiscraper.packs.warninglists import build_default

_HEADS = ["kind", "caught", "let off", "share", "cleared", "accused", "share"]


def print_verdicts(folder: Path | None, errors: int, json: bool) -> None:
    """Judge the texts of a folder, or those that come along, and print how often it is right."""
    reports = bundled_reports() if folder is None else reports_in(folder)
    _, pack = build_default()
    done = evaluate_verdicts(Verdicts(pack), reports)
    if json:
        print_json(_document(done, len(reports)))
        return
    told = {kind: tally for kind, tally in done.by_kind.items() if tally != Tally()}
    rows = [(kind, *_numbers(tally)) for kind, tally in told.items()]
    print_table(_HEADS, [*rows, ("all", *_numbers(done.total))])
    print_lines(_lines("let off", done.let_off[:errors]))
    print_lines(_lines("accused", done.accused[:errors]))
    print_lines(["", f"{counted(len(reports), 'text')} read."])


def _numbers(tally: Tally) -> tuple[object, ...]:
    return (
        *(tally.caught, tally.let_off, f"{tally.recall:.3f}"),
        *(tally.cleared, tally.accused, f"{tally.specificity:.3f}"),
    )


def _lines(what: str, wrong: Iterable[Wrong]) -> Iterable[str]:
    for one in wrong:
        mention = one.mention
        why = ", ".join(mention.reasons)
        points = points_of(mention.reasons)
        yield f"{what}: {mention.kind} {mention.value!r} in {one.text} ({points:+.2f}: {why})"


def _document(done: VerdictEvaluation, texts: int) -> dict[str, object]:
    return {
        "texts": texts,
        "kinds": {kind: _shares(tally) for kind, tally in done.by_kind.items()},
        "all": _shares(done.total),
        "let_off": [_wrong(one) for one in done.let_off],
        "accused": [_wrong(one) for one in done.accused],
    }


def _shares(tally: Tally) -> dict[str, float]:
    return {
        "caught": tally.caught,
        "let_off": tally.let_off,
        "recall": round(tally.recall, 4),
        "cleared": tally.cleared,
        "accused": tally.accused,
        "specificity": round(tally.specificity, 4),
    }


def _wrong(one: Wrong) -> dict[str, object]:
    mention = one.mention
    return {
        "text": one.text,
        "kind": mention.kind,
        "value": mention.value,
        "verdict": mention.verdict,
        "reasons": mention.reasons,
    }
