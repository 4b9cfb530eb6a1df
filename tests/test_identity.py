"""How people and programs are named on record."""

import pytest

from ctiscraper.identity import Principal, signature


@pytest.mark.parametrize(
    ("login", "name", "told"),
    [
        ("jane", "Jane Doe", "jane (Jane Doe)"),
        ("jane", "jane", "jane"),
        ("jane", "", "jane"),
        ("", "Jane Doe", "Jane Doe"),
        ("mallory", "alice (Alice)", "mallory (alice (Alice))"),
        ("alice (alice) of sales", "x", '"alice (alice) of sales" (x)'),
    ],
)
def test_whatever_somebody_calls_himself_his_login_comes_first(
    login: str, name: str, told: str
) -> None:
    assert signature(login, name) == told
    assert Principal(name=name, login=login, permissions=frozenset()).signature == told


@pytest.mark.parametrize(
    ("login", "told"), [("mallory", "mallory, token alice"), ("", "token alice")]
)
def test_a_token_is_told_from_a_person(login: str, told: str) -> None:
    token = Principal(name="alice", login=login, permissions=frozenset(), token_id="k3v9x0q2ab")
    assert token.signature == told
