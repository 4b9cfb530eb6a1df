"""Traces on a machine in lists and tables."""

from ctiscraper.enrich.kinds import Kind
from ctiscraper.enrich.observables import find_observables


def _values(text: str, kind: Kind) -> list[str]:
    return [one.value for one in find_observables(text) if one.kind is kind]


def test_the_lines_below_a_heading_of_mutexes_are_mutexes() -> None:
    listed = "{531511FA-190D-5D85-8A4A-279F2F592CC7}"
    text = f"Mutex\n\n- {listed}\n- Global\\abc_12\n\nServers\n\n- a1.example.com\n"
    found = [one for one in find_observables(text) if one.kind is Kind.MUTEX]
    assert [one.value for one in found] == [listed, "Global\\abc_12"]
    assert [text[one.start : one.end] for one in found] == [listed, "Global\\abc_12"]
    prose = "A mutex\nis made by it.\n\nMutexes\n\nThey are explained below."
    assert not [one for one in find_observables(prose) if one.kind is Kind.MUTEX]


def test_a_name_with_spaces_is_whole_in_a_column_of_names() -> None:
    text = (
        "Hash | Filename | Seen\na | Firefox Installer.exe | it drops b.dll\n"
        "b | run.exe | never\n\nStep | What\n1 | It drops stage two.exe\n"
    )
    found = [one for one in find_observables(text) if one.kind is Kind.FILE_NAME]
    assert [one.value for one in found] == ["Firefox Installer.exe", "b.dll", "run.exe", "two.exe"]
    assert all(text[one.start : one.end] == one.value for one in found)


def test_a_pipe_is_whole_and_bytes_of_code_are_no_server() -> None:
    assert _values("It opens \\\\pipe\\\\atctl then.", Kind.FILE_PATH) == ["\\\\pipe\\\\atctl"]
    assert not _values("The code is \\\\x90\\x90\\x90.", Kind.FILE_PATH)


def test_a_placeholder_in_brackets_is_part_of_its_path() -> None:
    path = "%AppData%\\[random chars] folder\\file.exe"
    assert _values(f"It drops {path} there.", Kind.FILE_PATH) == [path]


def test_a_mutex_has_a_letter_or_a_digit() -> None:
    assert not _values("The mutex: ---- was seen.", Kind.MUTEX)


def test_agents_in_lines_and_keys_in_brackets_are_told_apart() -> None:
    agents = ["Mozilla/5.0 (X11) Gecko/20100101 Firefox/103.0", "Mozilla/5.0 (iPhone) Safari/1"]
    assert _values("\n".join(agents), Kind.USER_AGENT) == agents
    wrapped = "Mozilla/5.0 (X11) AppleWebKit/537.36\n(KHTML, like Gecko) Chrome/90.0 Safari/537.36"
    assert _values(wrapped, Kind.USER_AGENT) == [wrapped]
    keys = "[HKEY_CURRENT_USER\\Software\\Qx] or [HKEY_LOCAL_MACHINE\\Software\\Qx\\A]"
    assert _values(keys, Kind.REGISTRY_KEY) == [
        "HKEY_CURRENT_USER\\Software\\Qx",
        "HKEY_LOCAL_MACHINE\\Software\\Qx\\A",
    ]
