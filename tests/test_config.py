"""Settings that hold a number for each tier."""

import pytest

from ctiscraper.config import Settings, load_settings
from ctiscraper.errors import SettingsError
from ctiscraper.types import Tier


def test_tiers_that_are_not_named_keep_their_default(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = load_settings().keep()
    monkeypatch.setenv("CTISCRAPER_KEEP_RAW_DAYS", " premium=0, basic=7 ")
    kept = load_settings().keep()
    assert kept.raw == {**defaults.raw, Tier.PREMIUM: 0, Tier.BASIC: 7}
    assert (kept.revisions, kept.checks) == (defaults.revisions, defaults.checks)


def test_a_worker_gets_them_as_its_parent_had_them() -> None:
    settings = load_settings(keep_checks_days="standard=3")
    again = Settings.model_validate(settings.model_dump(mode="json"))
    assert again.keep() == settings.keep()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("gold=3", "'gold' is no tier: premium, standard, basic"),
        ("basic", "'basic' should read tier=days, such as premium=365"),
        ("basic=-1", "'-1' is no number of days"),
        ("basic=x", "'x' is no number of days"),
        ("basic=99999", "'99999' is no number of days"),
        ("basic=1,basic=2", "'basic' is given twice"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.setenv("CTISCRAPER_KEEP_REVISIONS_DAYS", given)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert f"CTISCRAPER_KEEP_REVISIONS_DAYS: Value error, {said}" in str(raised.value)
