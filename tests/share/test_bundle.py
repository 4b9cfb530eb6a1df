"""Rules as files: names that every system takes, an archive that is the same each time."""

import io
import re
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.share.bundle import archive_of, file_name

NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*\.yml")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Scheduled Task: DefenderUPD", "scheduled_task_defenderupd_7.yml"),
        ("../../etc/passwd", "etc_passwd_7.yml"),
        ("CON", "con_7.yml"),
        ("\u4efb\u52a1", "rule_7.yml"),
        ("", "rule_7.yml"),
        ("...", "rule_7.yml"),
    ],
)
def test_a_name_has_nothing_but_letters_and_its_number(title: str, name: str) -> None:
    assert file_name(title, 7) == name


@given(st.text(), st.integers(1, 2**63 - 1))
def test_any_title_is_a_name_of_one_folder(title: str, number: int) -> None:
    name = file_name(title, number)
    assert NAME.fullmatch(name)
    assert name.endswith(f"_{number}.yml")
    assert len(name) <= 60 + len(f"_{number}.yml")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_what_is_packed_comes_out_and_twice_the_same(texts: list[str]) -> None:
    rules = [(file_name("a rule", number), text) for number, text in enumerate(texts, 1)]
    packed = archive_of(rules)
    assert packed == archive_of(iter(rules))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            f"rules/{name}": text for name, text in rules
        }


def test_rules_are_pressed_and_may_be_read_by_their_owner() -> None:
    packed = archive_of([("a.yml", "title: a rule\n" * 1_000)])
    assert len(packed) < 1_000
    [found] = zipfile.ZipFile(io.BytesIO(packed)).infolist()
    assert found.compress_type == zipfile.ZIP_DEFLATED
    assert found.external_attr >> 16 & 0o400
