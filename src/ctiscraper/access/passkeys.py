"""Passkeys (WebAuthn): what a browser is asked for, and whether what it gives is true."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    options_to_json,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ctiscraper.errors import InputError

NAME = "CTIScraper"
MOST_BYTES = 20_000
_ID_BYTES = 8
_REQUIRED = UserVerificationRequirement.REQUIRED
# What is nested too deeply raises the last.
_UNREADABLE = (WebAuthnException, ValueError, TypeError, RecursionError)
_WRONG = "this passkey could not be checked; try again, or come in another way"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The site that passkeys are for, as the browser names it."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """What is kept of a passkey."""

    id: bytes
    public_key: bytes
    sign_count: int


def creation_options(
    site: Site, *, user_id: int, login: str, name: str, known: Iterable[bytes]
) -> tuple[bytes, str]:
    """Return a new challenge, and what the browser makes a passkey of, as JSON."""
    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=NAME,
        user_id=user_id.to_bytes(_ID_BYTES, "big"),
        user_name=login,
        user_display_name=name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=key) for key in known],
    )
    return options.challenge, options_to_json(options)


def request_options(site: Site) -> tuple[bytes, str]:
    """Return a new challenge, and what the browser logs in with, as JSON."""
    options = webauthn.generate_authentication_options(rp_id=site.host, user_verification=_REQUIRED)
    return options.challenge, options_to_json(options)


def challenge_of(credential: str) -> bytes:
    """Return the challenge that a browser answers. Raises InputError."""
    try:
        answer = json.loads(credential)["response"]["clientDataJSON"]
        return parse_client_data_json(base64url_to_bytes(answer)).challenge
    except (*_UNREADABLE, KeyError, AttributeError) as error:
        raise InputError(_WRONG) from error


def id_of(credential: str) -> bytes:
    """Return which passkey a browser logs in with. Raises InputError."""
    try:
        return parse_authentication_credential_json(credential).raw_id
    except _UNREADABLE as error:
        raise InputError(_WRONG) from error


def made(credential: str, challenge: bytes, site: Site) -> Passkey:
    """Return the passkey that a browser has made. Raises InputError."""
    try:
        checked = webauthn.verify_registration_response(
            credential=parse_registration_credential_json(credential),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _UNREADABLE as error:
        raise InputError(_WRONG) from error
    return Passkey(
        id=checked.credential_id,
        public_key=checked.credential_public_key,
        sign_count=checked.sign_count,
    )


def used(credential: str, challenge: bytes, site: Site, kept: Passkey) -> int:
    """Return how often a passkey was used, this time included. Raises InputError."""
    try:
        checked = webauthn.verify_authentication_response(
            credential=parse_authentication_credential_json(credential),
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=kept.public_key,
            credential_current_sign_count=kept.sign_count,
            require_user_verification=True,
        )
    except _UNREADABLE as error:
        raise InputError(_WRONG) from error
    return checked.new_sign_count
