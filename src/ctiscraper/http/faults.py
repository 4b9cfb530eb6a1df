"""What went wrong on the wire, named: exceptions to typed fetch errors."""

import errno
import ssl

import httpcore2

from ctiscraper.errors import FetchError, Reason, Scope

# OpenSSL's X509_V_ERR_… numbers.
_VERIFY_REASONS = {
    2: Reason.TLS_UNKNOWN_CA,
    9: Reason.TLS_EXPIRED,
    10: Reason.TLS_EXPIRED,
    18: Reason.TLS_SELF_SIGNED,
    19: Reason.TLS_UNKNOWN_CA,
    20: Reason.TLS_UNKNOWN_CA,
    21: Reason.TLS_UNKNOWN_CA,
    62: Reason.TLS_WRONG_HOST,
    64: Reason.TLS_WRONG_HOST,
}
_VERSION_WORDS = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "VERSION_TOO_LOW")
_UNREACHABLE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
)
_OUR_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def tls_error(error: Exception) -> FetchError:
    """Return which part of TLS failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _VERIFY_REASONS.get(error.verify_code, Reason.TLS)
        return FetchError(reason, error.verify_message or str(error))
    if isinstance(error, ssl.SSLError):
        words = getattr(error, "reason", None) or str(error)
        old = any(word in words for word in _VERSION_WORDS)
        return FetchError(Reason.TLS_VERSION if old else Reason.TLS, words)
    return FetchError(Reason.TLS, f"handshake: {error or type(error).__name__}")


def name_error(error: OSError, *, online: bool) -> FetchError:
    """Return why a name has no address; `online`: other names have one."""
    detail = error.strerror or str(error)
    if not online:
        return offline(f"name resolution: {detail}")
    return FetchError(Reason.DNS, detail)


def connect_error(errors: list[OSError], *, online: bool) -> FetchError:
    """Return why no address of a host could be reached.

    Unreachable everywhere while nothing else was reached means that we are offline.
    """
    told = [error for error in errors if error.errno not in _UNREACHABLE]
    if any(error.errno in _OUR_LIMITS for error in told):
        return FetchError(Reason.CONNECT, str(told[0]), scope=Scope.OURS)
    if not told:
        detail = str(errors[0]) if errors else "no address"
        return FetchError(Reason.CONNECT, detail) if online else offline(detail)
    if all(isinstance(error, TimeoutError) for error in told):
        return FetchError(Reason.TIMEOUT, "connect")
    return FetchError(Reason.CONNECT, told[-1].strerror or str(told[-1]))


def offline(detail: str) -> FetchError:
    """Return the error of having no way out ourselves."""
    return FetchError(Reason.OFFLINE, detail, scope=Scope.OURS)


def exchange_error(error: Exception) -> FetchError:
    """Return what broke an exchange on an open connection."""
    detail = str(error) or type(error).__name__
    if isinstance(error, httpcore2.LocalProtocolError):
        return FetchError(Reason.PROTOCOL, detail, scope=Scope.ITEM, transient=False)
    if isinstance(error, httpcore2.RemoteProtocolError):
        early = "closed connection" in detail or "disconnected" in detail
        return FetchError(Reason.TRUNCATED if early else Reason.PROTOCOL, detail)
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError):
        return tls_error(cause)
    return FetchError(Reason.TRUNCATED, detail)
