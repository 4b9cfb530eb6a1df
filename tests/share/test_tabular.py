"""Tables that other programs read, and that no spreadsheet runs."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from ctiscraper.entity_views import EntitySummary, LookedUp
from ctiscraper.share.tabular import ENTITIES, LOOKUP, Table, csv_heads, csv_lines, json_lines


def entity(value: str, kind: str = "domain", name: str = "") -> EntitySummary:
    return EntitySummary(
        id=7,
        kind=kind,
        value=value,
        name=name,
        verdict="malicious",
        team=None,
        articles=2,
        sources=1,
        first_seen=datetime(2026, 1, 2, tzinfo=UTC),
        last_seen=None,
        freshness=0.5,
    )


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_rows_stand_under_their_heads_and_end_as_the_standard_says() -> None:
    text = csv_heads(ENTITIES) + "".join(
        csv_lines(ENTITIES, [entity("evil.example")], defanged=False)
    )
    assert text.endswith("\r\n")
    heads, row = read(text)
    assert dict(zip(heads, row, strict=True)) == {
        "id": "7",
        "kind": "domain",
        "value": "evil.example",
        "name": "",
        "verdict": "malicious",
        "team_verdict": "",
        "articles": "2",
        "sources": "1",
        "first_seen": "2026-01-02T00:00:00+00:00",
        "last_seen": "",
        "freshness": "0.5",
    }


def test_values_are_defanged_when_asked() -> None:
    [line] = csv_lines(ENTITIES, [entity("evil.example")], defanged=True)
    assert "evil[.]example" in line


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20"])
def test_text_that_a_spreadsheet_would_run_begins_with_a_quote(start: str) -> None:
    [line] = csv_lines(ENTITIES, [entity(f"{start}cmd|' /C calc'!A0", "mutex")], defanged=False)
    [[_, _, value, *_]] = read(line)
    assert value == f"'{start}cmd|' /C calc'!A0"


def test_quotes_commas_lines_and_nul_are_kept_in_their_cell() -> None:
    hostile = 'a,"b"\r\nc;\0d'
    [line] = csv_lines(ENTITIES, [entity(hostile, "yara")], defanged=False)
    [[_, _, value, *_]] = read(line)
    assert value == 'a,"b"\r\nc;d'


def test_numbers_stay_numbers() -> None:
    table: Table[int] = Table(("n",), lambda number, _: (number,))
    assert list(csv_lines(table, [-3, 4], defanged=False)) == ["-3\r\n", "4\r\n"]


def test_every_table_has_as_many_cells_as_heads() -> None:
    for one in (
        LookedUp(given="x", kind="", value="x", state="unknown", entity=None),
        LookedUp(given="x", kind="", value="x", state="known", entity=entity("x")),
    ):
        defanged = one.kind == "domain"
        assert len(LOOKUP.cells(one, defanged)) == len(LOOKUP.heads)


def test_json_is_a_document_a_line() -> None:
    lines = list(json_lines([entity("a\nb", "yara"), entity("c")]))
    assert [json.loads(line)["value"] for line in lines] == ["a\nb", "c"]
    assert all(line.count("\n") == 1 for line in lines)
