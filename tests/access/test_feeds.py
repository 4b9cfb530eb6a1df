"""Tokens in the addresses of feeds."""

from hashlib import sha256

from ctiscraper.access.feeds import feed_key, new_feed_token


def test_a_token_is_kept_by_its_hash_alone() -> None:
    token, other = new_feed_token(), new_feed_token()
    assert token != other
    assert feed_key(token) == sha256(token.encode()).digest()


def test_what_is_no_token_has_no_key() -> None:
    token = new_feed_token()
    for wrong in ("", token[:-1], f"{token}x", f"{token[:-1]}\u00e9", f"{token[:-1]}\n", "x y"):
        assert feed_key(wrong) is None, wrong
