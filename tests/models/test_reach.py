"""The policy for a server of models; what it refuses is in tests/http/test_guard_only.py."""

from pathlib import Path

import pytest

from ctiscraper.errors import SettingsError
from ctiscraper.models.reach import reach


def test_what_the_operator_set_for_all_holds_here_where_it_concerns_it() -> None:
    mapped = {"llm.example.com": "10.0.0.8", "site.example.com": "10.0.0.9"}
    policy = reach(
        "https://llm.example.com/v1", user_agent="x", host_map=mapped, ca_bundle=Path("ca.pem")
    )
    assert policy.host_map == {"llm.example.com": "10.0.0.8"}
    assert policy.ca_bundle == Path("ca.pem")
    assert policy.allow_networks == ()
    assert policy.only is not None
    assert (policy.only.scheme, policy.only.host, policy.only.port) == (
        "https",
        "llm.example.com",
        443,
    )
    assert policy.only.private


def test_a_server_that_can_be_none_is_named_by_its_setting() -> None:
    with pytest.raises(SettingsError, match=r"CTISCRAPER_MODEL_URL: 169\.254\.169\.254"):
        reach("http://169.254.169.254/v1", user_agent="x")
