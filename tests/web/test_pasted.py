"""What a pasted text asks for, and the table that answers it."""

import csv
import io

from ctiscraper.db.entities import LOOKUP_MOST, Entities
from ctiscraper.db.session import Database
from ctiscraper.entity_views import Answered
from ctiscraper.web.pasted import PastedAnswers, look_up, to_csv, values_of


def test_each_value_is_asked_once_and_ids_of_techniques_by_their_kind() -> None:
    assert values_of("10[.]0.0.1 T1059 10.0.0.1") == [("ipv4", "10.0.0.1"), ("technique", "T1059")]


def test_a_value_that_a_spreadsheet_would_compute_is_quoted() -> None:
    values = ("=cmd|' /C calc'!A0", "+1", "-1", "@x", 'a,"b"\n', "plain")
    answers = tuple(
        Answered(kind="command_line", value=one, state="unknown", entity=None) for one in values
    )
    found = PastedAnswers(answers=answers, known=0, benign=0, unknown=6, left_out=0)
    rows = list(csv.DictReader(io.StringIO(to_csv(found), newline="")))
    assert [row["value"] for row in rows] == [
        "'=cmd|' /C calc'!A0", "'+1", "'-1", "'@x", 'a,"b"\n', "plain",
    ]  # fmt: skip


async def test_more_values_than_are_looked_up_are_counted(database: str) -> None:
    text = "\n".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(LOOKUP_MOST + 7))
    async with Database(database, size=1) as opened:
        found = await look_up(Entities(opened), text)
    assert (found.known, found.benign, found.unknown) == (0, 0, LOOKUP_MOST)
    assert found.left_out == 7
