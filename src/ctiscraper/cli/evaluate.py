"""`eval`: how well extractors find what a reader marked in texts."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from ctiscraper.cli.evaluate_attack import print_attack
from ctiscraper.cli.evaluate_llm import evaluation_of_models
from ctiscraper.cli.judging import print_verdicts
from ctiscraper.cli.output import counted, print_json, print_lines, print_table
from ctiscraper.cli.shares import numbers, shares_of
from ctiscraper.enrich.evaluate import Evaluation, bundled_corpus, corpus_in, evaluate
from ctiscraper.enrich.evaluate_names import bundled_names, evaluate_names, names_in
from ctiscraper.enrich.names import Names
from ctiscraper.packs.galaxies import build_default

_HEADS = ["kind", "right", "extra", "missed", "precision", "recall", "F1"]


_BY_ITSELF = "texts"


class Evaluations(TyperGroup):
    """The evaluations; without a name it is that of extractors."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer carries its own click
        """Return what is left of the arguments, with the name of a command put before them."""
        if not args or args[0] not in {*self.commands, "--help"}:
            args = [_BY_ITSELF, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Evaluations, help="How well extractors and language models do on labelled texts."
)
app.command("llm")(evaluation_of_models)


class Evaluated(StrEnum):
    """What there are labelled texts for."""

    OBSERVABLES = "observables"
    VERDICTS = "verdicts"
    ATTACK = "attack"
    NAMES = "names"


@app.command(_BY_ITSELF)
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
    elif only is Evaluated.VERDICTS:
        print_verdicts(folder, errors, json)
    elif only is Evaluated.NAMES:
        named = bundled_names() if folder is None else names_in(folder)
        _, pack = build_default()
        _print(evaluate_names(named, Names(pack)), len(named), errors, as_json=json)
    else:
        corpus = bundled_corpus() if folder is None else corpus_in(folder)
        _print(evaluate(corpus), len(corpus), errors, as_json=json)


def _print(done: Evaluation, texts: int, errors: int, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(done, texts))
        return
    rows = [(kind.value, *numbers(score)) for kind, score in done.by_kind.items()]
    print_table(_HEADS, [*rows, ("all", *numbers(done.total))])
    for name, listed in (("missed", done.misses), ("extra", done.extras)):
        print_lines(
            f"{name}: {kind} {value!r} in {where}" for where, kind, value in listed[:errors]
        )
    print_lines(["", f"{counted(texts, 'text')} read."])


def _document(done: Evaluation, texts: int) -> dict[str, object]:
    return {
        "texts": texts,
        "kinds": {kind.value: shares_of(score) for kind, score in done.by_kind.items()},
        "all": shares_of(done.total),
        "misses": [{"text": t, "kind": k.value, "value": v} for t, k, v in done.misses],
        "extras": [{"text": t, "kind": k.value, "value": v} for t, k, v in done.extras],
    }
