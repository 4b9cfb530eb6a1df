"""What ends a command, with the exit code that docs/reference/exit-codes.md gives it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)


class Exit(IntEnum):
    """What a command tells the program that called it; the same as the product's."""

    OK = 0
    FAILED = 1
    USAGE = 2
    SETTINGS = 3
    NOT_FOUND = 5
    CONFLICT = 6
    BAD_FILE = 7
    DEGRADED = 9
    INTERRUPTED = 130


class OpsError(Exception):
    """A command that cannot go on; the message names the cause and the way out."""

    def __init__(self, message: str, code: int = Exit.FAILED) -> None:
        self.code = int(code)
        super().__init__(message)


class FaultsError(OpsError):
    """Everything that stands against a command, before anything was changed."""

    def __init__(self, what: str, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"{what}; nothing was changed:\n{lines}", Exit.SETTINGS)


NO_CREDENTIALS = (
    "no credentials of AWS were found: run 'aws sso login' or set AWS_PROFILE, and run this again"
)
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"}
_BUSY = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
_NOT_FOUND_ENDINGS = ("NotFound", "NotFoundException", "NotFoundFault", "NoSuchKey", "NoSuchBucket")


def error_code(error: ClientError) -> str:
    """Return the code that AWS gives an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that there is no such thing."""
    return error_code(error).endswith(_NOT_FOUND_ENDINGS) or error_code(error) == "404"


def told(error: Exception) -> OpsError:
    """Return what an error of boto3 means to who runs the command."""
    if isinstance(error, ClientError):
        return _refused(error)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return OpsError(NO_CREDENTIALS, Exit.SETTINGS)
    if isinstance(error, EndpointConnectionError):
        return OpsError(
            f"AWS cannot be reached ({error}): look at the network, --endpoint-url and "
            "AWS_ENDPOINT_URL",
            Exit.SETTINGS,
        )
    return OpsError(f"AWS could not be asked: {error}; run this again")


def _refused(error: ClientError) -> OpsError:
    action, code = error.operation_name, error_code(error)
    message = str(error.response.get("Error", {}).get("Message", "")).strip()
    if code in _DENIED:
        return OpsError(
            f"{action} is not allowed ({message}): take a role that may do it, and run this again",
            Exit.SETTINGS,
        )
    if code in _EXPIRED:
        return OpsError(f"the credentials hold no more ({message}): renew them", Exit.SETTINGS)
    if code in _BUSY:
        return OpsError(f"AWS is asked too often ({action}): wait a minute and run this again")
    if is_missing(error):
        return OpsError(f"{action}: {message or code}; is the environment right?", Exit.NOT_FOUND)
    return OpsError(f"{action} was refused with {code}: {message}")


@contextmanager
def aws_errors() -> Iterator[None]:
    """Tell errors of boto3 as ours. Raises OpsError."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise told(error) from error
