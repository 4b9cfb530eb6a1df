"""`eval --only attack`: how well techniques are found, by set and by rule."""

from pathlib import Path

from ctiscraper.cli.output import counted, print_json, print_lines, print_table
from ctiscraper.cli.shares import numbers, shares_of
from ctiscraper.enrich.attack import Techniques
from ctiscraper.enrich.evaluate import total_of
from ctiscraper.enrich.evaluate_attack import (
    AttackEvaluation,
    bundled_reports,
    evaluate_attack,
    reports_in,
)
from ctiscraper.packs.attack import build_default

_HEADS = ["set", "right", "extra", "missed", "precision", "recall", "F1"]
_RULE_HEADS = ["rule", "technique", "right", "extra", "precision"]


def print_attack(folder: Path | None, *, errors: int, rules: bool, json: bool) -> None:
    """Print how well the techniques of a folder's reports, or of the bundled, are found."""
    info, pack = build_default()
    reports = bundled_reports() if folder is None else reports_in(folder)
    done = evaluate_attack(reports, Techniques(pack))
    if json:
        print_json(_document(done, len(reports), info.version))
        return
    rows = [(name, *numbers(score)) for name, score in done.by_set.items()]
    print_table(_HEADS, [*rows, ("all", *numbers(total_of(done.by_set.values())))])
    if rules:
        print_lines([""])
        print_table(_RULE_HEADS, _rule_rows(done))
    print_lines(f"missed: {one} in {where}" for where, one in done.misses[:errors])
    print_lines(f"extra: {one} in {where}, by {by}" for where, one, by in done.extras[:errors])
    print_lines(["", f"{counted(len(reports), 'text')} read, ATT&CK {info.version}."])


def _rule_rows(done: AttackEvaluation) -> list[tuple[object, ...]]:
    return [
        (*name.split(" "), score.right, score.extra, f"{score.precision:.3f}")
        for name, score in done.by_rule.items()
    ]


def _document(done: AttackEvaluation, texts: int, version: str) -> dict[str, object]:
    return {
        "texts": texts,
        "attack": version,
        "sets": {name: shares_of(score) for name, score in done.by_set.items()},
        "all": shares_of(total_of(done.by_set.values())),
        "rules": {
            name: {"right": score.right, "extra": score.extra}
            for name, score in done.by_rule.items()
        },
        "misses": [{"text": where, "technique": one} for where, one in done.misses],
        "extras": [
            {"text": where, "technique": one, "rules": by} for where, one, by in done.extras
        ],
    }
