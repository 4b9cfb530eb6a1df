"""Sigma rules of the galaxy and of a SigmaHQ release."""

import contextlib
import io
import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

import make_packs as make
from ctiscraper.errors import PackError
from ctiscraper.packs import sigma
from ctiscraper.packs.bounded import opened_zip
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.sigma import SigmaPack, SigmaRule, build_default, read_rules

RULE = """title: A Shell Of An Office
id: 00000000-0000-4000-8000-000000000001
status: test
author: Jane Doe
date: 2026/01/02
modified: 2026-10-03
tags:
    - attack.execution
    - attack.t1059.001
    - attack.T1204
    - car.2013-05-002
logsource: {category: process_creation, product: windows}
detection:
    selection: {Image: cmd.exe}
    condition: selection
level: high
"""


def release(files: Mapping[str, str | bytes]) -> tuple[PackInfo, SigmaPack, tuple[str, ...]]:
    data = {
        f"rules/windows/{name}": text.encode() if isinstance(text, str) else text
        for name, text in files.items()
    }
    with opened_zip(io.BytesIO(make.archive({"LICENSE": b"words", **data}))) as archive:
        return read_rules(archive)


def numbered(number: int) -> str:
    return RULE.replace("0000001\n", f"{number:07d}\n")


def test_the_default_has_thousands_of_rules_and_no_text_of_any() -> None:
    info, pack = build_default()
    assert len(pack.rules) > 3000
    assert all(rule.author and rule.title and rule.id and not rule.body for rule in pack.rules)
    assert sum(bool(rule.techniques) for rule in pack.rules) > 2000
    assert {rule.level for rule in pack.rules} >= {"low", "medium", "high", "critical"}
    assert "names its author" in info.notice
    assert "no text of any rule" in info.notice


def test_a_rule_of_a_release_is_read_with_its_text() -> None:
    info, pack, notes = release({"a.yml": RULE})
    assert pack.rules == (
        SigmaRule(
            id="00000000-0000-4000-8000-000000000001",
            title="A Shell Of An Office",
            author="Jane Doe",
            level="high",
            file="a.yml",
            techniques=("T1059.001", "T1204"),
            body=RULE,
        ),
    )
    assert (info.version, info.licence, notes) == ("SigmaHQ 2026-10-03", "DRL-1.1", ())


@pytest.mark.parametrize(
    "text",
    [
        "title: no id",
        "- a list",
        "",
        "title: [",
        b"\xff\xfe",
        RULE.replace("author: Jane Doe", "license: CC-BY-NC-4.0"),
        "[" * 5000,
        "a: !!python/object/apply:os.system [true]",
    ],
)
def test_what_is_no_rule_of_the_licence_is_left_out_and_said(text: str | bytes) -> None:
    good: dict[str, str | bytes] = {f"{n}.yml": numbered(n) for n in range(1, 41)}
    _, pack, notes = release({**good, "odd.yml": text})
    assert len(pack.rules) == 40
    assert len(notes) == 1
    assert notes[0].startswith("1 rules left out (odd.yml: ")


def test_an_archive_of_rubbish_is_refused() -> None:
    with pytest.raises(PackError, match="name a release of SigmaHQ"):
        release({"a.yml": "title: no id"})
    with pytest.raises(PackError, match="name a release of SigmaHQ"):
        release({"a.txt": RULE})


def test_an_archive_of_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PackError, match="more than 1024 KB"):
        release({"a.yml": RULE + "#" * (2 << 20)})
    monkeypatch.setattr(sigma, "MOST_RULES", 3)
    with pytest.raises(PackError, match="more than 3 rules"):
        release({f"{n}.yml": numbered(n) for n in range(4)})


def test_entities_that_multiply_take_no_memory() -> None:
    names = "abcdefghi"
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{n}: &{n} [{', '.join([f'*{m}'] * 9)}]\n" for m, n in itertools.pairwise(names)
    )
    _, pack, _ = release({"a.yml": bomb + RULE})
    assert pack.rules[0].techniques == ("T1059.001", "T1204")


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=60), max_size=3))
def test_any_files_are_read_or_refused(files: dict[str, str]) -> None:
    named = {
        f"{number}.yml": text.encode(errors="replace") for number, text in enumerate(files.values())
    }
    with contextlib.suppress(PackError):
        release(named)
