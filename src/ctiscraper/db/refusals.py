"""Why a PostgreSQL lets nobody in, told by its words: the driver gives no code before the login."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """The way out of a refusal; a lasting one stays until somebody changes something."""

    advice: str
    lasting: bool = False


_LOGIN = Refusal("mend the user or the password in DATABASE_URL", lasting=True)
_LOGIN_BY_FILE = Refusal(
    "mend the password in the file of DATABASE_PASSWORD_FILE, or the user in DATABASE_URL",
    lasting=True,
)
_UNKNOWN = Refusal("start it, or mend DATABASE_URL (unset, the embedded one is used)")

# The first whose words are found counts.
_BY_WORDS = tuple(
    (re.compile(words), refusal)
    for words, refusal in (
        (
            r"invalid (?:\w+|integer) value|invalid port number|invalid connection option",
            Refusal("mend that part of DATABASE_URL", lasting=True),
        ),
        (
            (
                r"password authentication failed|no password supplied|role \".*\" does not exist"
                r"|(?:Peer|Ident|GSSAPI|LDAP|PAM|RADIUS|certificate) authentication failed"
                r"|is not permitted to log in"
            ),
            _LOGIN,
        ),
        (
            r"no pg_hba\.conf entry|pg_hba\.conf rejects",
            Refusal(
                "let its pg_hba.conf admit this user from here, or mend user, database or sslmode "
                "in DATABASE_URL",
                lasting=True,
            ),
        ),
        (
            r"database \".*\" does not exist",
            Refusal("make it (createdb), or mend its name in DATABASE_URL", lasting=True),
        ),
        (
            r"permission denied for database|is not currently accepting connections",
            Refusal("let the user of DATABASE_URL connect to this database", lasting=True),
        ),
        (
            (
                r"certificate verify failed|certificate file|server certificate for"
                r"|does not support SSL|SSL error|SSL required|private key file"
            ),
            Refusal(
                "mend sslmode or sslrootcert in DATABASE_URL: sslrootcert names the PEM file of "
                "the authority that signed the server's certificate, and with verify-full the "
                "certificate must be for this host name",
                lasting=True,
            ),
        ),
        (
            r"too many clients|connection slots are reserved|too many connections",
            Refusal(
                "all its connections are in use: raise max_connections there, or run less here "
                "(CTISCRAPER_WORKERS; a worker takes up to 2, the pages up to 4)"
            ),
        ),
        (
            (
                r"is starting up|is shutting down|not yet accepting|not accepting connections"
                r"|in recovery mode"
            ),
            Refusal("it is on its way: try again in a moment"),
        ),
        (
            (
                r"could not translate host name|[Nn]ame or service not known|failed to resolve host"
                r"|nodename nor servname"
            ),
            Refusal("mend the host in DATABASE_URL, or this machine's name service"),
        ),
    )
)


def explain_refusal(words: str, *, password_in_file: bool = False) -> Refusal:
    """Return what can be done about a connection that was refused with these words."""
    found = next((refusal for pattern, refusal in _BY_WORDS if pattern.search(words)), _UNKNOWN)
    return _LOGIN_BY_FILE if found is _LOGIN and password_in_file else found
