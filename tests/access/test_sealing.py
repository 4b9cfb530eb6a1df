"""The installation's own key, and what is sealed by it."""

import re
import secrets
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ctiscraper.access.sealing import (
    KEY_BYTES,
    KEYS_MOST,
    Sealer,
    SealError,
    add_key,
    keep_newest,
    read_keys,
)
from ctiscraper.errors import SettingsError


def test_what_is_sealed_opens_for_its_purpose_and_by_its_key_alone() -> None:
    sealer = Sealer.of_this_process()
    sealed = sealer.seal("totp 1", b"secret")
    assert b"secret" not in sealed
    assert sealed != sealer.seal("totp 1", b"secret")
    assert sealer.open("totp 1", sealed) == b"secret"
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for purpose, given in (("totp 2", sealed), ("totp 1", changed), ("totp 1", b""), ("x", b"y")):
        with pytest.raises(SealError):
            sealer.open(purpose, given)
    with pytest.raises(SealError):
        Sealer.of_this_process().open("totp 1", sealed)


def test_a_seal_is_aes_256_gcm_with_a_nonce_of_its_own() -> None:
    """Opened here by the library itself, so that no other cipher or mode would do."""
    key = secrets.token_bytes(KEY_BYTES)
    seals = [Sealer(key).seal("totp 1", b"words") for _ in range(200)]
    assert KEY_BYTES == 32
    assert len({sealed[:12] for sealed in seals}) == 200
    for sealed in seals:
        assert AESGCM(key).decrypt(sealed[:12], sealed[12:], b"totp 1") == b"words"


def test_what_is_sealed_as_text_can_stand_in_a_cookie_and_opens_for_its_purpose() -> None:
    sealer = Sealer.of_this_process()
    for length in range(6):
        sealed = sealer.seal_text("form", b"x" * length)
        assert re.fullmatch(r"[\w-]+", sealed, re.ASCII)
        assert sealer.open_text("form", sealed) == b"x" * length
    for purpose, given in (("way", sealed), ("form", ""), ("form", "é"), ("form", "A"), ("x", "!")):
        with pytest.raises(SealError):
            sealer.open_text(purpose, given)


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secret.key"
    [key] = read_keys(file)
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_keys(file) == (key,)
    assert [path.name for path in file.parent.iterdir()] == ["secret.key"]


def test_processes_that_begin_at_once_have_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    found: list[bytes] = []
    threads = [Thread(target=lambda: found.extend(read_keys(file))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret.key"
    read_keys(file)
    file.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_keys(file)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.write_bytes(b"short")
    file.chmod(0o600)
    with pytest.raises(SettingsError, match="32 bytes"):
        read_keys(file)
    with pytest.raises(SettingsError, match="cannot be kept"):
        read_keys(tmp_path)


def test_a_new_key_seals_and_the_one_before_still_opens(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    [first] = read_keys(file)
    before = Sealer(first).seal("totp 1", b"secret")
    assert add_key(file) == 2
    second, older = read_keys(file)
    assert older == first != second
    assert file.stat().st_mode & 0o777 == 0o600
    both = Sealer(second, first)
    assert both.open("totp 1", before) == b"secret"
    assert Sealer(second).open("totp 1", both.seal("totp 1", b"secret")) == b"secret"
    with pytest.raises(SealError):
        both.open("totp 2", before)
    assert keep_newest(file) == 1
    assert read_keys(file) == (second,)
    assert keep_newest(file) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_keys_do_not_pile_up(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    for count in range(2, KEYS_MOST + 1):
        read_keys(file)
        assert add_key(file) == count
    with pytest.raises(SettingsError, match="seal anew"):
        add_key(file)
    assert len(read_keys(file)) == KEYS_MOST
