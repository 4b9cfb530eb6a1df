"""What the pages of people and their logins may be sent."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ctiscraper.identity import Access, Role

_Secret = Annotated[str, Field(max_length=200)]
_Login = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Name = Annotated[str, Field(max_length=400)]
# More than a password may have, so that it is told which are too long.
_Password = Annotated[str, Field(max_length=8192)]
_Path = Annotated[str, Field(max_length=40_000)]
_Typed = Annotated[str, Field(max_length=600_000)]
_Credential = Annotated[str, Field(max_length=20_000)]
_Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2}){1,1023}$")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SetupForm(_Form):
    """The first administrator, and the secret that makes him."""

    token: _Secret
    login: _Login
    name: _Name = ""
    password: _Password
    again: _Password


class ChosenPasswordForm(_Form):
    """A password by a link."""

    token: _Secret
    password: _Password
    again: _Password
    end_all: bool = False


class _OnForm(_Form):
    """`next` is where to go on, `carried` what was typed before."""

    next: _Path = "/"
    carried: _Typed = ""


class LoginForm(_OnForm):
    """Who somebody says he is."""

    login: _Login
    password: _Password


class CodeForm(_OnForm):
    """The code that goes with a password which was right."""

    step: _Secret
    code: _Secret


class PasskeyLoginForm(_OnForm):
    """What the browser says of a passkey."""

    credential: _Credential


class SudoForm(_OnForm):
    """The password again."""

    password: _Password


class NameForm(_Form):
    """How somebody is called."""

    name: _Name


class PasswordForm(_Form):
    """Another password in place of this one; with `end_all` what else lets him in is ended."""

    current: _Password
    password: _Password
    again: _Password
    end_all: bool = False


class SessionForm(_Form):
    """A session to end; without one all others end."""

    session: _Hex | None = None


class ConfirmForm(_Form):
    """A code that shows that the app works."""

    code: _Secret


class PasskeyForm(_Form):
    """A new passkey."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    credential: _Credential


class PasskeyRemoval(_Form):
    """A passkey to let in no more."""

    passkey: _Hex


class NewUserForm(_Form):
    """Somebody to be let in."""

    login: _Login
    name: _Name = ""
    role: Role


class RoleForm(_Form):
    """Another role."""

    role: Role


class AccessForm(_Form):
    """What of somebody's ways in is to end."""

    part: Annotated[list[Access], Field(max_length=len(Access))] = []


class StateForm(_Form):
    """Whether somebody may log in."""

    state: Literal["enabled", "disabled"]
