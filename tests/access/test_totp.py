"""Codes of an app, and those for the day it is lost."""

import math
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from ctiscraper.access.totp import (
    address_of,
    new_recovery_codes,
    new_secret,
    picture_of,
    recovery_key,
    step_of,
)

NOW = datetime(2026, 11, 26, 12, 0, 10, tzinfo=UTC)


def test_a_code_is_right_in_its_step_and_the_ones_beside_it() -> None:
    secret = new_secret()
    app = pyotp.TOTP(secret)
    step = int(NOW.timestamp()) // 30
    for off in (-1, 0, 1):
        code = app.at(NOW + timedelta(seconds=30 * off))
        assert step_of(secret, code, NOW) == step + off
        assert step_of(secret, f"{code[:3]} {code[3:]}", NOW) == step + off
    for off in (-2, 2, 100):
        assert step_of(secret, app.at(NOW + timedelta(seconds=30 * off)), NOW) is None


@pytest.mark.parametrize("code", ["", "abcdef", "12345", "1234567", "١٢٣٤٥٦", "-12345"])
def test_what_is_no_code_is_wrong(code: str) -> None:
    assert step_of(new_secret(), code, NOW) is None


def test_an_app_reads_the_address_and_the_picture_draws_it() -> None:
    secret = new_secret()
    address = address_of(secret, "jane@corp")
    assert parse_qs(urlsplit(address).query) == {"secret": [secret], "issuer": ["CTIScraper"]}
    picture = picture_of(address)
    assert picture.startswith("<svg")
    assert "style=" not in picture
    assert "http" not in picture
    assert secret not in picture


def test_recovery_codes_are_read_as_people_type_them() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    key = recovery_key(codes[0])
    assert key is not None
    assert recovery_key(codes[0].upper().replace("-", " ")) == key
    assert codes[0].encode() not in key
    for wrong in ("", "123456", codes[0][:-1], codes[0] + "a", "l" * 28):
        assert recovery_key(wrong) is None
    assert recovery_key("abcd-efgh-jkmn-pqrs"), "one that was made when they were shorter"


def test_a_recovery_code_is_as_hard_to_guess_as_a_key() -> None:
    code = new_recovery_codes()[0].replace("-", "")
    assert set(code) <= set("abcdefghjkmnpqrstuvwxyz23456789")
    # By so much a hash without salt is enough (NIST SP 800-63B, 5.1.2.2).
    assert len(code) * math.log2(31) > 128
