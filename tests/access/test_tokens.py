"""Tokens are told from other text, and give nothing away that is kept."""

import re
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.access.tokens import new_token, read_token


def test_a_token_reads_back_as_what_is_kept_of_it() -> None:
    token, kept = new_token()
    assert re.fullmatch(r"cti_[a-z0-9]{10}_[A-Za-z0-9]{43}_[0-9a-f]{8}", token)
    assert read_token(token) == kept
    secret = token.split("_")[2]
    assert kept.secret == sha256(secret.encode()).digest()
    assert secret not in repr(kept)


def test_no_two_are_alike() -> None:
    made = [new_token() for _ in range(200)]
    assert len({token for token, _ in made}) == 200
    assert len({kept.id for _, kept in made}) == 200


@given(st.integers(0, 66), st.characters())
def test_one_wrong_character_is_seen(place: int, character: str) -> None:
    token, kept = new_token()
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    assert read_token(changed) == (kept if changed == token else None)


@given(st.text())
def test_other_text_is_no_token(text: str) -> None:
    assert read_token(text) is None
    assert read_token(f"cti_{text}") is None
