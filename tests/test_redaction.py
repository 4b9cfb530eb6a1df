"""What is a secret goes, what says what happened stays, and nothing that is looked at hurts."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.redaction import (
    CUT,
    DEPTH_MOST,
    TEXT_MOST,
    UNPRINTABLE,
    blacken,
    names_secret,
    redact,
    redact_text,
)

CANARY = "canary-4d1f9c"

TEXTS = {
    "userinfo": f"https://reader:{CANARY}@acme.example/feed.xml",
    "user alone": f"https://{CANARY}@acme.example/feed.xml",
    "a slash in a password": f"postgresql://cti:pa/{CANARY}@db.example/cti",
    "a mark in a password": f"postgresql://cti:p@{CANARY}@db.example/cti",
    "two addresses": f"https://acme.example/?next=https://u:{CANARY}@acme.example/",
    "redis": f"redis://:{CANARY}@cache.example:6379/0",
    "rediss": f"rediss://default:{CANARY}@cache.example:6379/0?ssl_cert_reqs=required",
    "token": f"https://acme.example/feed?page=2&token={CANARY}&sort=new",
    "key": f"https://acme.example/feed?key={CANARY}",
    "sig": f"https://acme.example/feed?se=2026&sig={CANARY}",
    "authkey": f"https://acme.example/feed?a=1&amp;authkey={CANARY}",
    "password": f"https://acme.example/feed?user=x;password={CANARY}",
    "signed by AWS": f"https://raw.example/a?X-Amz-Credential={CANARY}&X-Amz-Signature={CANARY}",
    "code": f"https://cti.example/callback?code={CANARY}&state={CANARY}",
    "fragment": f"https://cti.example/#access_token={CANARY}",
    "escaped name": f"https://acme.example/?access%5Ftoken={CANARY}",
    "conninfo": f"host=db.example dbname=cti password={CANARY} sslmode=require",
    "quoted conninfo": f"host=db.example password='{CANARY} \\' {CANARY}' sslmode=require",
    "bearer": f"401 for Bearer {CANARY}",
    "authorization line": f"> Authorization: Basic {CANARY} {CANARY}\n> Accept: */*",
    "cookie line": f"Cookie: theme=dark; session={CANARY}; x={CANARY}\r\nHost: acme.example",
    "set-cookie line": f"Set-Cookie: session={CANARY}; HttpOnly",
    "api key line": f"x-api-key: {CANARY}",
    "a dictionary as text": f"{{'Authorization': 'Bearer {CANARY}', 'Accept': '*/*'}}",
    "raw headers as text": f"[(b'accept', b'*/*'), (b'cookie', b'a={CANARY}')]",
    "JSON in JSON": f'{{\\"api_key\\": \\"{CANARY}\\", \\"page\\": 1}}',
    "an open quote": f"password='{CANARY} and so on",
    "an object as text": f"Settings(url='postgresql://u:{CANARY}@h/d', api_token='{CANARY}')",
    "environment": f"AWS_SECRET_ACCESS_KEY={CANARY}",
    "dsn": f"SENTRY_DSN={CANARY}",
    "option": f"ctiscraper --db-password {CANARY} --verbose",
    "curl": f"curl -H 'X-Api-Key: {CANARY}' https://acme.example/",
    "colon": f"passphrase: {CANARY}",
    "set-up": f"http://127.0.0.1:8000/setup#token={CANARY}",
    "form": f"csrf={CANARY}&code_verifier={CANARY}",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
}

TOKENS = {
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmFseXN0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r",
    "access key": "AKIAIOSFODNN7EXAMPLE",
    "temporary access key": "ASIAIOSFODNN7EXAMPLE",
    "basic": "Basic cmVhZGVyOmh1bnRlcjI=",
    "our own": "cti_8sdf_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9nO2_1a2b3c4d",
    "our session": "ctiscraper=Zk3vQ8sT1vW4yZ7bC0eF3hI6kL9nO2aB3dE6gH9jK2m",
    "our session over TLS": "__Host-ctiscraper=Zk3vQ8sT1vW4yZ7bC0eF3hI6kL9nO2aB3dE6gH9jK2m",
    "our way to a provider": "ctiscraper_oidc=Zk3vQ8sT1vW4yZ7bC0eF3hI6kL9nO2aB3dE6gH9jK2m",
    "set-up in a path": "/setup/Zk3vQ8sT1vW4yZ7bC0eF3h",
    "GitHub": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "Slack": "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
}

# What people look for in a log, and must find there.
KEPT = (
    "https://medium.example/@author/a-loader-that-waits?page=2#top",
    "http://127.20.0.1:8080/a/1",
    "unexpected token at line 3, column 7",
    "author=x source=acme code=3 keyword=loader",
    "the pool 'pool-1' is not open yet",
    "Basic authentication is required",
    "2026-11-26T07:10:32Z C:\\Users\\x D:\\tokens",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_secrets_in_texts_are_blacked_out(text: str) -> None:
    assert CANARY in text
    assert CANARY not in redact_text(text)
    assert CANARY not in redact_text(f"could not be read: {text}")
    assert CANARY not in json.dumps(redact({"seen": [text, text.encode()]}))
    assert CANARY not in json.dumps(redact(ValueError(text)))


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_tokens_are_known_by_their_looks(token: str) -> None:
    shown = redact_text(f"refused: {token}, asked again")
    assert shown.endswith(", asked again")
    assert not any(part in shown for part in token.split() if part != "Basic")


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def test_what_stands_beside_a_secret_stays() -> None:
    shown = redact_text(TEXTS["token"])
    assert shown == "https://acme.example/feed?page=2&token=***&sort=new"
    shown = redact_text(TEXTS["conninfo"])
    assert shown == "host=db.example dbname=cti password=*** sslmode=require"
    assert redact_text(TEXTS["cookie line"]).endswith("Host: acme.example")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Authorization",
            "Proxy-Authorization",
            "cookie",
            "Set-Cookie",
            "X-Api-Key",
            "x-auth-token",
        ),
        *("password", "db_password", "passwd", "PGPASSWORD", "pwd", "secret", "clientSecret"),
        *("access_token", "api_key", "apiKey", "private_key", "dsn", "SENTRY_DSN", "conninfo"),
        *("sessionid", "session_id", "credentials", "AWS_SECRET_ACCESS_KEY", "jwt", "sig"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)
    assert redact({name: CANARY, name.upper(): [CANARY]}) == {name: "***", name.upper(): "***"}


@pytest.mark.parametrize("name", ["source", "key", "author", "code", "status", "host", "keyword"])
def test_names_of_other_things(name: str) -> None:
    assert not names_secret(name)
    assert redact({name: "acme"}) == {name: "acme"}


@dataclass
class Account:
    name: str
    password: str


NESTED: dict[str, object] = {
    "headers": {"headers": {"Accept": "*/*", "Authorization": f"Bearer {CANARY}"}},
    "raw headers": [(b"cookie", CANARY.encode()), (b"accept", b"*/*")],
    "pairs": (("X-Api-Key", CANARY),),
    "named": [{"name": "Set-Cookie", "value": CANARY}],
    "options": ["psql", "--password", CANARY],
    "bytes as name": {b"password": CANARY},
    "deep": {"a": [{"b": ({"token": {"value": CANARY}},)}]},
    "too deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": CANARY}}}}}}},
    "object": Account("cti", CANARY),
    "a name that holds it": {f"https://u:{CANARY}@acme.example/": 1},
    "bytes": f"token={CANARY}".encode(),
    "memory": memoryview(f"token={CANARY}".encode()),
    "error": RuntimeError(f"cannot connect to redis://:{CANARY}@cache.example"),
    "number": {"password": 4711},
}


@pytest.mark.parametrize("value", NESTED.values(), ids=NESTED)
def test_secrets_in_values_are_blacked_out(value: object) -> None:
    shown = json.dumps(redact({"seen": value}))
    assert CANARY not in shown
    assert "4711" not in shown


class Hostile:
    """Answers every question with a fault."""

    def __repr__(self) -> str:
        raise RecursionError("asked")

    def __str__(self) -> str:
        raise ZeroDivisionError("asked")

    def __iter__(self) -> Iterator[object]:
        raise MemoryError("asked")

    @property  # type: ignore[misc]  # what isinstance asks
    def __class__(self) -> type:
        raise KeyError("asked")


class HostileKeys(dict[object, object]):
    def items(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - it never returns
        raise OSError("asked")


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise ValueError("asked")


def circle() -> list[object]:
    ring: list[object] = []
    ring.append(ring)
    return ring


# Made when asked for: pytest looks at parameters too.
ODD: dict[str, Callable[[], object]] = {
    "an object of faults": Hostile,
    "in a list": lambda: [1, Hostile()],
    "as a key": lambda: {Hostile(): 1},
    "keys that fault": HostileKeys,
    "a text that faults": lambda: Loud("said"),
    "a ring": circle,
    "no number": lambda: float("nan"),
    "infinite": lambda: float("-inf"),
    "very long number": lambda: 10**6000,
    "half a character": lambda: "\ud800",
    "an error of faults": lambda: ValueError(Hostile()),
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_is_logged_becomes_json(name: str) -> None:
    assert json.loads(json.dumps(redact({"value": ODD[name]()}), allow_nan=False))


def test_a_value_that_faults_costs_itself_alone() -> None:
    assert redact({"job": 7, "value": Hostile()}) == {"job": 7, "value": UNPRINTABLE}


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.dates(),
    st.sampled_from([*TEXTS.values(), *TOKENS.values()]),
    st.builds(Hostile),
    st.builds(ValueError, st.text()),
)
keys = st.one_of(st.text(max_size=20), st.binary(max_size=8), st.integers(), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
    ),
    max_leaves=20,
)


@settings(max_examples=300)
@given(values)
def test_any_value_becomes_json_without_the_canary(value: object) -> None:
    text = json.dumps(redact(value), allow_nan=False)
    assert CANARY not in text
    assert text.isascii()


@settings(max_examples=200)
@given(st.text(), st.text(), st.sampled_from(sorted(TEXTS)))
def test_whatever_stands_around_it_a_secret_goes(before: str, after: str, name: str) -> None:
    shown = redact_text(f"{before}\n{TEXTS[name]}\n{after}", most=10_000)
    assert CANARY not in shown or CANARY in before + after


@given(values.map(redact))
def test_what_was_redacted_needs_no_second_time(shown: object) -> None:
    assert json.dumps(redact(shown)).count("***") >= json.dumps(shown).count("***")


def test_what_is_kept_is_bounded() -> None:
    assert len(redact_text("x" * 10**6)) == TEXT_MOST + len(CUT)
    assert len(json.dumps(redact({str(n): n for n in range(10**5)}))) < TEXT_MOST
    deep: object = "bottom"
    for _ in range(DEPTH_MOST + 1):
        deep = {"down": deep}
    assert "bottom" not in json.dumps(redact(deep))


def test_a_secret_that_is_cut_leaves_no_part() -> None:
    text = "x" * (TEXT_MOST - 60) + f" https://acme.example/?token={CANARY * 2000}&page=2"
    assert "canary" not in redact_text(text)


PATHOLOGICAL = {
    "letters": "a",
    "assignments": "a=",
    "addresses": "://a:",
    "address signs": "://",
    "at signs": "://a@",
    "names of secrets": "password=",
    "quotes": "'",
    "backslashes": "\\",
    "escaped quotes": '\\"',
    "open quotes": "password='",
    "escaped values": "token:\\'x",
    "bearers": "bearer ",
    "basics": "basic a",
    "half tokens": "eyJ",
    "half keys": "-----BEGIN PRIVATE KEY-----",
    "options": "--a ",
    "dashes": "-",
    "access keys": "AKIA",
    "parameters": "&key=",
    "spaces": " ",
    "our tokens": "cti_a_",
    "our sessions": "ctiscraper=",
    "ways to set up": "/setup#token=",
    "pairs": "a', ",
    "brackets": "[%",
}


def _seconds(text: str) -> float:
    """The least processor time of three tries."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        blacken(text)
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("piece", PATHOLOGICAL.values(), ids=PATHOLOGICAL)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    """Were it by the square, eight times the text would take 64 times as long."""
    text = piece * (40_000 // len(piece))
    few, many = _seconds(text + "="), _seconds(text * 8 + "=")
    assert many < max(few, 0.002) * 24
