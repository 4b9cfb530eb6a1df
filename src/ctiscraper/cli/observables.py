"""`observables`: what a text names, with the places that say so."""

from bisect import bisect_left
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper.cli.output import counted, print_json, print_lines, print_table
from ctiscraper.cli.texts import on_a_line, read_text
from ctiscraper.enrich.context import sentence_at
from ctiscraper.enrich.endpoints import root_urls
from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.observables import find_observables


def observables(
    file: Annotated[Path, typer.Argument(help="A text; - is standard input.")],
    kind: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Only these kinds.", show_default=False),
    ] = None,
    hosts_as_urls: Annotated[
        bool, typer.Option("--hosts-as-urls", help="Tell each host that stands alone as a URL too.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every place.")] = False,
) -> None:
    """The indicators, identifiers, commands and rules of a text, defanged or not."""
    text = read_text(file)
    found = find_observables(text)
    if hosts_as_urls:
        found += list(root_urls(found))
    found = sorted(
        (one for one in found if not kind or one.kind in kind), key=lambda one: one.start
    )
    if json:
        print_json({"observables": [_shown(text, one) for one in found]})
        return
    groups: dict[tuple[Kind, str], list[Observable]] = {}
    for one in found:
        groups.setdefault((one.kind, one.value), []).append(one)
    newlines = [place for place, char in enumerate(text) if char == "\n"]
    rows = [
        (group.value, on_a_line(value), len(places), bisect_left(newlines, places[0].start) + 1)
        for (group, value), places in groups.items()
    ]
    print_table(["kind", "value", "times", "line"], rows)
    print_lines(["", f"{counted(len(groups), 'observable')} at {counted(len(found), 'place')}."])


def _shown(text: str, one: Observable) -> dict[str, object]:
    first, last = sentence_at(text, one.start, one.end)
    return {
        "kind": one.kind.value,
        "value": one.value,
        "start": one.start,
        "end": one.end,
        "words": text[one.start : one.end],
        "defanged": one.defanged,
        "sentence": text[first:last],
    }
