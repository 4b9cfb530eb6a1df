"""`eval`: how well extractors find what a reader marked in texts."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.cli.evaluate_attack import print_attack
from ctiscraper.cli.output import counted, print_json, print_lines, print_table
from ctiscraper.cli.shares import numbers, shares_of
from ctiscraper.enrich.evaluate import Evaluation, bundled_corpus, corpus_in, evaluate

_HEADS = ["kind", "right", "extra", "missed", "precision", "recall", "F1"]


class Evaluated(StrEnum):
    """The extractors that there are labelled texts for."""

    OBSERVABLES = "observables"
    ATTACK = "attack"


def evaluation(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A folder with data/ioc/docs.jsonl.gz or data/attack/docs.jsonl.gz; "
            "else the texts that come along.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        Evaluated, typer.Option("--only", help="What is looked for.")
    ] = Evaluated.OBSERVABLES,
    rules: Annotated[
        bool, typer.Option("--rules", help="Of techniques, print right and extra by rule.")
    ] = False,
    errors: Annotated[
        int, typer.Option("--errors", min=0, help="Of misses and extras, show so many each.")
    ] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every error.")] = False,
) -> None:
    """Precision and recall of an extractor, with what was missed and what is extra."""
    if only is Evaluated.ATTACK:
        print_attack(folder, errors=errors, rules=rules, json=json)
        return
    corpus = bundled_corpus() if folder is None else corpus_in(folder)
    done = evaluate(corpus)
    if json:
        print_json(_document(done, len(corpus)))
        return
    rows = [(kind.value, *numbers(score)) for kind, score in done.by_kind.items()]
    print_table(_HEADS, [*rows, ("all", *numbers(done.total))])
    for name, listed in (("missed", done.misses), ("extra", done.extras)):
        print_lines(
            f"{name}: {kind} {value!r} in {where}" for where, kind, value in listed[:errors]
        )
    print_lines(["", f"{counted(len(corpus), 'text')} read."])


def _document(done: Evaluation, texts: int) -> dict[str, object]:
    return {
        "texts": texts,
        "kinds": {kind.value: shares_of(score) for kind, score in done.by_kind.items()},
        "all": shares_of(done.total),
        "misses": [{"text": t, "kind": k.value, "value": v} for t, k, v in done.misses],
        "extras": [{"text": t, "kind": k.value, "value": v} for t, k, v in done.extras],
    }
