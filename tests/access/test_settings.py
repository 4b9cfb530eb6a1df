"""What an operator sets of single sign-on is whole, or is told at the start."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ctiscraper.access.settings import SignOnSettings
from ctiscraper.errors import SettingsError
from ctiscraper.identity import Role

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/cti/50dc6c495c0c9188"
WHOLE: dict[str, Any] = {
    "oidc_issuer": "https://id.example/realms/cti",
    "oidc_client_id": "cti-scraper",
    "oidc_roles": "cti-analysts=analyst, CN=Admins=admin",
}


def test_without_an_issuer_there_is_no_provider() -> None:
    assert SignOnSettings().sign_on() is None


def test_a_whole_set_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n", "utf-8")
    given = SignOnSettings(**WHOLE, oidc_client_secret_file=file, alb_arn=ARN).sign_on()
    assert given is not None
    assert given.client_secret == "s3cret"
    assert given.roles == {"cti-analysts": Role.ANALYST, "CN=Admins": Role.ADMIN}
    assert given.balancer_arn == ARN
    assert "s3cret" not in repr(given)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("oidc_client_id", "CTISCRAPER_OIDC_CLIENT_ID"),
        ("oidc_roles", "CTISCRAPER_OIDC_ROLES"),
        ("oidc_issuer", "CTISCRAPER_OIDC_ISSUER"),
    ],
)
def test_what_is_missing_is_named(missing: str, named: str) -> None:
    given = {name: value for name, value in WHOLE.items() if name != missing}
    with pytest.raises(SettingsError, match=named):
        SignOnSettings(**given, alb_arn=ARN).sign_on()


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n"])
def test_a_file_without_a_secret_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    for path in (file, tmp_path):
        with pytest.raises(SettingsError, match="CLIENT_SECRET_FILE"):
            SignOnSettings(**WHOLE, oidc_client_secret_file=path).sign_on()
        file.write_text(text, "utf-8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"oidc_issuer": "http://id.example"},
        {"oidc_issuer": "id.example"},
        {"oidc_issuer": "https://id.example?x=1"},
        {"oidc_issuer": "https://u:p@id.example"},
        {"oidc_scopes": "profile email"},
        {"oidc_scopes": "openid  email"},
        {"oidc_roles": "analysts"},
        {"oidc_roles": "=analyst"},
        {"oidc_roles": "analysts=boss"},
        {"oidc_role_claim": ""},
        {"alb_arn": "arn:aws:iam::123456789012:role/x"},
    ],
)
def test_what_is_wrong_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SignOnSettings(**(WHOLE | wrong))
