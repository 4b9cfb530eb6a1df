"""The plan, line by line: how an existing installation's data comes over."""

import ast
import re

from model import load, text
from planned import line

PROD = load("prod")
MOVE = "src/ctiscraper/archive/move.py"
SECTION = "Database Migration"
HOWTO = "docs/howto/move-to-aws.md"


def product_tests() -> set[str]:
    """Return the product's tests of a move between two servers."""
    tree = ast.parse(text("tests/archive/test_move.py"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


@line(SECTION, "Export existing PostgreSQL data", at=MOVE)
def test_existing_data_is_copied_while_it_is_used() -> None:
    assert {
        "test_all_is_elsewhere_while_articles_are_stored",
        "test_what_changed_and_went_after_the_copy_is_followed",
        "test_a_look_changes_nothing_and_tells_what_is_to_be_known",
    } <= product_tests()
    assert "| `db move --to-file FILE` |" in text("docs/reference/cli.md")


@line(SECTION, "Import to RDS with minimal downtime", at=MOVE)
def test_rds_takes_what_comes_and_the_stop_is_bounded() -> None:
    assert {
        "test_a_move_that_is_killed_harms_nobody_and_goes_on",
        "test_a_stop_that_takes_too_long_is_given_up",
        "test_a_target_that_goes_away_leaves_the_source",
    } <= product_tests()
    binaries = text("src/ctiscraper/db/binaries.py")
    oldest = re.search(r"^OLDEST_MAJOR = (\d+)$", binaries, re.MULTILINE)
    assert oldest
    database = PROD["data.Database"]
    assert int(database["EngineVersion"].partition(".")[0]) >= int(oldest[1])
    page = text(HOWTO)
    for words in (f"dbname={database['DBName']} ", f"user={database['MasterUsername']} "):
        assert words in page
    assert "sslmode=verify-full" in page


@line(SECTION, "Verify data integrity", at=MOVE)
def test_every_table_is_compared_before_the_switch() -> None:
    assert {
        "test_a_planted_difference_is_found_and_the_source_goes_on",
        "test_the_new_database_is_used_as_the_old_one_was",
        "test_an_unfinished_copy_is_used_by_nobody",
    } <= product_tests()
