"""No statement needs a PostgreSQL newer than the oldest that the program accepts.

The suite runs on that version as well; this names the feature, and speaks where it is not there.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctiscraper.db.binaries import OLDEST_MAJOR

ROOT = Path(__file__).parents[1]
PLACES = (ROOT / "src" / "ctiscraper" / "db", ROOT / "tests", ROOT / "bench")

STATEMENT = re.compile(
    r"\b(?:SELECT\b.*\b\w|INSERT\s+INTO|UPDATE\s+\w+.*\bSET\b|DELETE\s+FROM|MERGE\s+INTO|COPY\s+\w"
    r"|WITH\s+\w+\s+AS|(?:CREATE|ALTER|DROP|COMMENT|GRANT)\s+\w+|EXPLAIN\s|VACUUM\b|SET\s+LOCAL)",
    re.DOTALL,
)

# From the release notes of each version (E.1.3), what can be told from words alone.
FUNCTIONS = {
    16: "any_value array_sample array_shuffle date_add date_subtract erf erfc json_array"
    " json_arrayagg json_object json_objectagg pg_input_error_info pg_input_is_valid"
    " random_normal",
    17: "json_exists json_query json_scalar json_serialize json_table json_value merge_action"
    " pg_basetype to_bin to_oct to_regtypemod unicode_assigned uuid_extract_timestamp"
    " uuid_extract_version xmltext",
    18: "array_reverse array_sort casefold crc32 crc32c gamma lgamma pg_get_acl uuidv4 uuidv7",
}
PHRASES = {
    16: (
        r"\bIS\s+(?:NOT\s+)?JSON\b",
        r"\bSYSTEM_USER\b",
        r"\bpg_stat_io\b",
        r"\bGENERIC_PLAN\b",
        r"\bBUFFER_USAGE_LIMIT\b",
        r"(?<![\w.$'-])0[xX][0-9a-fA-F]+\b",
        r"(?<![\w.$':-])\d+_\d",
    ),
    17: (
        r"\bMERGE\s+INTO\b.*\bRETURNING\b",
        r"\bNOT\s+MATCHED\s+BY\s+(?:SOURCE|TARGET)\b",
        r"\bAT\s+LOCAL\b",
        r"\bON_ERROR\b",
        r"\btransaction_timeout\b",
        r"\bpg_stat_checkpointer\b",
        r"\bSET\s+EXPRESSION\b",
        r"\brandom\s*\(\s*[^\s)]",
    ),
    18: (
        r"\bRETURNING\b.*\b(?:OLD|NEW)\.\w",
        r"\bRETURNING\s+WITH\s*\(",
        r"\bWITHOUT\s+OVERLAPS\b",
        r"\bNOT\s+ENFORCED\b",
        r"\)\s+VIRTUAL\b",
        r"\bREJECT_LIMIT\b",
        r"\bGENERATED\s+ALWAYS\s+AS\s*\((?:[^()]|\([^()]*\)|\((?:[^()]|\([^()]*\))*\))*\)(?!\s*STORED)",
    ),
}


def features() -> Iterator[tuple[int, re.Pattern[str]]]:
    flags = re.IGNORECASE | re.DOTALL
    for major, names in FUNCTIONS.items():
        yield major, re.compile(rf"\b(?:{'|'.join(names.split())})\s*\(", flags)
    for major, phrases in PHRASES.items():
        for phrase in phrases:
            yield major, re.compile(phrase, flags)


def too_new(statement: str, oldest: int = OLDEST_MAJOR) -> list[str]:
    """What of a statement a PostgreSQL of that version does not know."""
    return [
        f"PostgreSQL {major}: {found[0]}"
        for major, feature in features()
        if major > oldest and (found := feature.search(statement))
    ]


def statements(file: Path) -> Iterator[tuple[int, str]]:
    """Line and words of every string of a file that reads as SQL."""
    inside: set[ast.AST] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            inside.update(node.values)
            parts = (p.value if isinstance(p, ast.Constant) else "x" for p in node.values)
            words = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and node not in inside:
            words = str(node.value)
        else:
            continue
        if STATEMENT.search(words):
            yield node.lineno, words


def test_no_statement_needs_more_than_the_oldest_postgresql() -> None:
    files = [file for place in PLACES for file in place.rglob("*.py") if file != Path(__file__)]
    found = [(file, line, words) for file in files for line, words in statements(file)]
    of_the_program = [file for file, _, _ in found if PLACES[0] in file.parents]
    assert len(of_the_program) > 100
    assert len(found) > 200
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: {feature}"
        for file, line, words in found
        for feature in too_new(words)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("major", "statement"),
    [
        (16, "SELECT any_value(title) FROM article"),
        (16, "SELECT array_shuffle(tags) FROM article"),
        (16, "SELECT 1 WHERE '{}' IS JSON"),
        (16, "SELECT 1_000_000"),
        (16, "SELECT 0x1f"),
        (17, "SELECT * FROM JSON_TABLE (entry, '$' COLUMNS (a int))"),
        (17, "MERGE INTO host h USING x ON true WHEN MATCHED THEN DELETE RETURNING h.*"),
        (17, "SET LOCAL transaction_timeout = '1s'"),
        (17, "SELECT random(1, 6)"),
        (18, "SELECT uuidv7()"),
        (18, "UPDATE host SET rank = 1 RETURNING old.rank"),
        (18, "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (abs(a) + 1))"),
    ],
)
def test_what_is_too_new_is_seen(major: int, statement: str) -> None:
    assert STATEMENT.search(statement)
    assert [said.partition(":")[0] for said in too_new(statement)] == [f"PostgreSQL {major}"]
    assert too_new(statement, oldest=major) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX i ON host (reason) NULLS NOT DISTINCT",
        "MERGE INTO host h USING x ON true WHEN MATCHED THEN DELETE",
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (abs(a) + 1) STORED)",
        "CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY)",
        "SELECT random(), gen_random_uuid(), '2026-01-01 10:000', md5('0x1f')",
        "INSERT INTO article (id) VALUES (1) RETURNING id, 'the old. one'",
    ],
)
def test_what_the_oldest_knows_passes(statement: str) -> None:
    assert too_new(statement) == []
