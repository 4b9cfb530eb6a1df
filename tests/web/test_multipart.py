"""Forms with a file, read strictly."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.web.multipart import parse_parts


def made(files: dict[str, tuple[str, bytes]], **fields: str) -> tuple[bytes, str]:
    request = httpx2.Request("POST", "http://x.example/", data=fields, files=files)
    return request.read(), request.headers["content-type"]


def test_a_form_of_a_client_is_read() -> None:
    body, kind = made({"file": ("feeds.opml", b"<opml/>\r\n--not-a-boundary\r\n")}, csrf="t", é="ü")
    sent = parse_parts(body, kind)
    assert sent.values == {"csrf": "t", "é": "ü"}
    assert (sent.body, sent.name) == (b"<opml/>\r\n--not-a-boundary\r\n", "feeds.opml")


@given(st.binary(max_size=2000))
def test_any_bytes_of_a_file_stay_what_they_are(content: bytes) -> None:
    body, kind = made({"file": ("x", content)})
    assert parse_parts(body, kind).body == content


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\x\\passwd", "a/\x1bpasswd", "passwd"])
def test_the_name_of_a_file_is_only_a_name(name: str) -> None:
    body = (
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nx\r\n--b--'
    )
    assert parse_parts(body.encode(), "multipart/form-data; boundary=b").name.endswith("passwd")
    assert "/" not in parse_parts(body.encode(), "multipart/form-data; boundary=b").name


HEAD = b'Content-Disposition: form-data; name="a"\r\n\r\n'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=b"),
        (b"--b\r\n" + HEAD + b"x\r\n--b--", "text/plain; boundary=b"),
        (b"--b\r\n" + HEAD + b"x\r\n--b--", "multipart/form-data"),
        (b"--b\r\n" + HEAD + b"x\r\n--b--", 'multipart/form-data; boundary="\x01"'),
        (b"--b\r\n" + HEAD + b"x\r\n--b", "multipart/form-data; boundary=b"),
        (b"--b\r\nno head\r\n--b--", "multipart/form-data; boundary=b"),
        (b"--b\r\nContent-Type: x\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b"),
        (
            b"--b\r\n" + HEAD + b"x\r\n--b\r\n" + HEAD + b"y\r\n--b--",
            "multipart/form-data; boundary=b",
        ),
        (b"--b\r\n" + HEAD + b"\xff\xfe\r\n--b--", "multipart/form-data; boundary=b"),
        ((b"--b\r\n" + HEAD + b"x\r\n") * 100 + b"--b--", "multipart/form-data; boundary=b"),
        (b"--b\r\n" + b"a" * 9000 + b"\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b"),
    ],
)
def test_what_is_no_such_form_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_parts(body, kind)


@given(st.binary(max_size=500), st.text(max_size=80))
def test_any_input_gives_an_answer(body: bytes, kind: str) -> None:
    for content_type in (kind, "multipart/form-data; boundary=b", f"multipart/form-data; {kind}"):
        try:
            parse_parts(body, content_type)
        except ValueError:
            continue
