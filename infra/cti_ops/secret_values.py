"""Values of secrets: made by AWS, staged beside the one in use, and never shown."""

import json
from dataclasses import dataclass, field

from cti_ops.errors import Exit, OpsError
from cti_ops.place import Place

# As infra/cti_infra/secrets.py makes them.
PASSWORD_LENGTH, KEY_LENGTH, KEY_EXCLUDES = 48, 32, "\"'\\`$"
CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A secret with a new value that waits beside the one in use."""

    name: str
    old_version: str
    new_version: str
    # Not part of what is printed of it.
    old: str = field(repr=False)
    new: str = field(repr=False)

    def password(self, *, new: bool) -> str:
        """Return the password in one of its values."""
        return str(json.loads(self.new if new else self.old)["password"])


def stage(place: Place, name: str, *, key: bool = False) -> Staged:
    """Return a secret that has been given a new value, which nobody uses yet. Raises OpsError."""
    secrets, secret = place.client("secretsmanager"), place.secret(name)
    current = secrets.get_secret_value(SecretId=secret, VersionStage=CURRENT)
    old = str(current["SecretString"])
    if key:
        new = secrets.get_random_password(
            PasswordLength=KEY_LENGTH, ExcludeCharacters=KEY_EXCLUDES
        )["RandomPassword"]
    else:
        password = secrets.get_random_password(
            PasswordLength=PASSWORD_LENGTH, ExcludePunctuation=True
        )["RandomPassword"]
        new = json.dumps({**_fields(secret, old), "password": password})
    made = secrets.put_secret_value(SecretId=secret, SecretString=new, VersionStages=[PENDING])
    place.say(f"{secret}: a new value waits as {PENDING}")
    return Staged(
        name=secret,
        old_version=current["VersionId"],
        new_version=made["VersionId"],
        old=old,
        new=str(new),
    )


def promote(place: Place, staged: Staged) -> None:
    """Let new tasks be given the new value; the old one stays as the previous."""
    _move(place, staged.name, staged.old_version, staged.new_version)
    drop(place, staged)
    place.say(f"{staged.name}: the new value is the current one")


def demote(place: Place, staged: Staged) -> None:
    """Let new tasks be given the old value again."""
    _move(place, staged.name, staged.new_version, staged.old_version)
    place.say(f"{staged.name}: the old value is the current one again")


def drop(place: Place, staged: Staged) -> None:
    """Take the mark of a value that waits from the new one."""
    place.client("secretsmanager").update_secret_version_stage(
        SecretId=staged.name, VersionStage=PENDING, RemoveFromVersionId=staged.new_version
    )


def _move(place: Place, name: str, old: str, new: str) -> None:
    place.client("secretsmanager").update_secret_version_stage(
        SecretId=name, VersionStage=CURRENT, MoveToVersionId=new, RemoveFromVersionId=old
    )


def _fields(secret: str, value: str) -> dict[str, str]:
    try:
        fields = json.loads(value)
        return {"username": str(fields["username"])}
    except (ValueError, KeyError, TypeError):
        raise OpsError(
            f"{secret} is not made of username and password: write it anew with "
            "aws secretsmanager put-secret-value, and rotate it then",
            Exit.CONFLICT,
        ) from None
