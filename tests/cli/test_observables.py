"""`observables`: from a text to what it names."""

from pathlib import Path

from cli.terminal import Terminal

REPORT = """The loader calls hxxp://evil[.]example[.]com/a and 203.0.113[.]9 (CVE-2024-3094).
Again: http://evil.example.com/a
"""


def test_a_text_gives_its_observables_each_once(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_text(REPORT, "utf-8")
    lines = terminal.run("observables", str(file)).out.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["url", "http://evil.example.com/a", "2", "1"],
        ["ipv4", "203.0.113.9", "1", "1"],
        ["cve", "CVE-2024-3094", "1", "1"],
    ]
    assert lines[-1] == "3 observables at 4 places."


def test_hosts_that_stand_alone_are_urls_too_when_asked_for(terminal: Terminal) -> None:
    text = b"evil-host[.]top and http://a.example.com/x"
    ended = terminal.run("observables", "-", "--json", "--hosts-as-urls", stdin=text)
    told = [(one["kind"], one["value"]) for one in ended.json["observables"]]
    assert told == [
        ("domain", "evil-host.top"),
        ("url", "http://evil-host.top"),
        ("url", "http://a.example.com/x"),
    ]


def test_places_come_as_json_and_kinds_narrow_them(terminal: Terminal) -> None:
    ended = terminal.run("observables", "-", "--json", "--kind", "url", stdin=REPORT.encode())
    first, second = ended.json["observables"]
    assert first == {
        "kind": "url",
        "value": "http://evil.example.com/a",
        "start": 17,
        "end": 46,
        "words": "hxxp://evil[.]example[.]com/a",
        "defanged": True,
        "sentence": (
            "The loader calls hxxp://evil[.]example[.]com/a and 203.0.113[.]9 (CVE-2024-3094)."
        ),
    }
    assert not second["defanged"]


def test_what_cannot_be_read_is_told(terminal: Terminal, tmp_path: Path) -> None:
    ended = terminal.run("observables", str(tmp_path / "none"), code=3)
    assert "cannot be read: No such file or directory" in ended.err


def test_bytes_that_are_no_text_are_read_all_the_same(terminal: Terminal) -> None:
    raw = b"\xff\xfe\x00 1.2.3.4 \xc3"
    ended = terminal.run("observables", "-", stdin=raw)
    assert "1.2.3.4" in ended.out


def test_a_text_too_large_is_refused(terminal: Terminal) -> None:
    ended = terminal.run("observables", "-", stdin=b"x" * (20 * 1024 * 1024 + 1), code=3)
    assert "give it in parts" in ended.err
