"""The client against servers that falter."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

import pytest

from ctiscraper.client import ApiError, Client, UnreachableError
from ctiscraper.client.transport import LONGEST_WAIT_SECONDS, TRIES

EMPTY = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]"
BUSY = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
NO_RETRY = b"HTTP/1.1 422 No\r\nConnection: close\r\nContent-Length: 19\r\n\r\n<html>nothing</html"
HUNG_UP = b""


@contextmanager
def answering(answers: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the address of a server that answers so, one after the other, and what it is asked."""
    asked: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        for answer in answers:
            connection, _ = listening.accept()
            with connection:
                asked.append(connection.recv(65_536))
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        thread.join(5)


def test_it_asks_again_until_it_is_answered() -> None:
    waits: list[float] = []
    with (
        answering([HUNG_UP, BUSY, EMPTY]) as (url, asked),
        Client(url, "t", wait=waits.append) as client,
    ):
        assert client.list_sources() == ()
    assert len(asked) == 3
    assert waits[0] < 1
    assert 6 < waits[1] < 8


def test_a_write_is_sent_again_under_the_same_key() -> None:
    with (
        answering([HUNG_UP, BUSY.replace(b"7", b"0"), NO_RETRY]) as (url, asked),
        Client(url, "t", wait=lambda _: None) as client,
        pytest.raises(ApiError) as raised,
    ):
        client.check_source("one")
    assert raised.value.status == 422
    assert "nothing" in raised.value.detail
    keys = {
        line for each in asked for line in each.lower().split(b"\r\n") if b"idempotency" in line
    }
    assert len(asked) == 3
    assert len(keys) == 1


def test_what_is_kept_for_no_repeat_is_sent_once() -> None:
    for answers, raised in (([HUNG_UP, EMPTY], UnreachableError), ([BUSY, EMPTY], ApiError)):
        with (
            answering(answers) as (url, asked),
            Client(url, "t", wait=lambda _: None) as client,
            pytest.raises(raised) as caught,
        ):
            client.call("POST", "/api/v1/tokens", bytes, body={"name": "x"})
        assert len(asked) == 1
        assert raised is ApiError or "nobody can say" in str(caught.value)
    too_many = BUSY.replace(b"503 Busy", b"429 Too Many")
    with answering([too_many, EMPTY]) as (url, asked), Client(url, "t", wait=lambda _: None) as one:
        one.call("POST", "/api/v1/questions", bytes, body={"question": "x"})
    assert len(asked) == 2


def test_a_write_under_way_is_waited_for_and_one_that_is_not_known_is_told() -> None:
    under_way = BUSY.replace(b"503 Busy", b"409 Conflict").replace(b"7", b"1")
    unknown = NO_RETRY.replace(b"422 No", b"409 Conflict")
    waits: list[float] = []
    with (
        answering([HUNG_UP, under_way, unknown]) as (url, asked),
        Client(url, "t", wait=waits.append) as client,
        pytest.raises(ApiError) as raised,
    ):
        client.check_source("one")
    assert (raised.value.status, len(asked), len(waits)) == (409, 3, 2)


def test_it_gives_up_in_the_end() -> None:
    waits: list[float] = []
    with (
        answering([BUSY.replace(b"7", b"999999")] * TRIES) as (url, asked),
        Client(url, "t", wait=waits.append) as client,
        pytest.raises(ApiError) as raised,
    ):
        client.list_sources()
    assert (raised.value.status, len(asked)) == (503, TRIES)
    assert max(waits) <= LONGEST_WAIT_SECONDS * 1.1


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with Client(url, "t", wait=lambda _: None) as client, pytest.raises(UnreachableError) as raised:
        client.list_sources()
    assert url in str(raised.value)


@pytest.mark.parametrize("url", ["", "cti.example", "ftp://cti.example", "http://"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="should read like"):
        Client(url, "t")
