"""`eval`: how well observables are found in texts in which a reader marked them."""

from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.cli.judging import print_verdicts
from ctiscraper.cli.output import counted, print_json, print_lines, print_table
from ctiscraper.enrich.evaluate import Evaluation, Score, bundled_corpus, corpus_in, evaluate

_HEADS = ["kind", "right", "extra", "missed", "precision", "recall", "F1"]


def evaluation(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A folder with data/ioc/docs.jsonl.gz; else the texts that come along.",
            show_default=False,
        ),
    ] = None,
    errors: Annotated[
        int, typer.Option("--errors", min=0, help="Of misses and extras, show so many each.")
    ] = 20,
    verdicts: Annotated[
        bool, typer.Option("--verdicts", help="Tell how well indicators are parted from the rest.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every error.")] = False,
) -> None:
    """Precision and recall of the observables, by kind, with what was missed and what is extra."""
    if verdicts:
        print_verdicts(folder, errors, json)
        return
    corpus = bundled_corpus() if folder is None else corpus_in(folder)
    done = evaluate(corpus)
    if json:
        print_json(_document(done, len(corpus)))
        return
    rows = [(kind.value, *_numbers(score)) for kind, score in done.by_kind.items()]
    print_table(_HEADS, [*rows, ("all", *_numbers(done.total))])
    for name, listed in (("missed", done.misses), ("extra", done.extras)):
        print_lines(
            f"{name}: {kind} {value!r} in {where}" for where, kind, value in listed[:errors]
        )
    print_lines(["", f"{counted(len(corpus), 'text')} read."])


def _numbers(score: Score) -> tuple[object, ...]:
    shares = (f"{share:.3f}" for share in (score.precision, score.recall, score.f1))
    return (score.right, score.extra, score.missed, *shares)


def _document(done: Evaluation, texts: int) -> dict[str, object]:
    return {
        "texts": texts,
        "kinds": {kind.value: _shares(score) for kind, score in done.by_kind.items()},
        "all": _shares(done.total),
        "misses": [{"text": t, "kind": k.value, "value": v} for t, k, v in done.misses],
        "extras": [{"text": t, "kind": k.value, "value": v} for t, k, v in done.extras],
    }


def _shares(score: Score) -> dict[str, float]:
    return {
        "right": score.right,
        "extra": score.extra,
        "missed": score.missed,
        "precision": round(score.precision, 4),
        "recall": round(score.recall, 4),
        "f1": round(score.f1, 4),
    }
