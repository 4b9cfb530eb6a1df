"""What claims make of somebody."""

from typing import Any

import pytest

from ctiscraper.access.identity_claims import SignOn, identity_of, role_of
from ctiscraper.errors import SignOnError
from ctiscraper.identity import Role

ROLES = {"readers": Role.VIEWER, "leads": Role.CURATOR, "root": Role.ADMIN}


def known(**changes: Any) -> SignOn:  # noqa: ANN401 - a builder
    given: dict[str, Any] = {"issuer": "https://id.example", "client_id": "cti", "roles": ROLES}
    return SignOn(**(given | changes))


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["readers"]}, Role.VIEWER),
        ({"groups": ["root", "readers"]}, Role.ADMIN),
        ({"groups": ["readers", "leads", "others"]}, Role.CURATOR),
        ({"groups": "leads"}, Role.CURATOR),
        ({"groups": "readers leads"}, None),
        ({"groups": []}, None),
        ({"groups": ["Root"]}, None),
        ({"groups": [["root"]]}, None),
        ({"groups": {"root": True}}, None),
        ({"groups": [1, None, "others"]}, None),
        ({"role": "admin"}, None),
        ({}, None),
    ],
)
def test_the_highest_role_that_the_claim_gives_counts(
    claims: dict[str, object], role: Role | None
) -> None:
    assert role_of(claims, known()) is role


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["root"]}}),
        ("https://cti.example/roles", {"https://cti.example/roles": ["root"]}),
        ("cognito:groups", {"cognito:groups": ["root"]}),
    ],
)
def test_a_claim_is_found_by_name_or_path(name: str, claims: dict[str, object]) -> None:
    assert role_of(claims, known(role_claim=name)) is Role.ADMIN
    assert role_of({"realm_access": "x", "https://cti": []}, known(role_claim=name)) is None


def test_a_login_is_the_best_name_there_is() -> None:
    claims = {"sub": "S-1", "email": "Ann@Example.org", "name": "Ann\r\nX"}
    found = identity_of(claims, known())
    assert (found.login, found.name, found.subject) == ("ann@example.org", "AnnX", "S-1")
    assert identity_of({"sub": "S-1"}, known()).login == "s-1"
    assert identity_of({"sub": "S-1", "preferred_username": "\x00"}, known()).login == "s-1"


@pytest.mark.parametrize("subject", [None, "", 7, "a\nb", "x" * 256])
def test_claims_about_nobody_are_refused(subject: object) -> None:
    with pytest.raises(SignOnError):
        identity_of({"sub": subject}, known())
