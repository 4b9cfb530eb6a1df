"""The family of errors, and the reasons that are stored and shown."""

from enum import StrEnum


class Scope(StrEnum):
    """Whom a failure is counted against."""

    ITEM = "item"
    HOST = "host"
    OURS = "ours"


class Reason(StrEnum):
    """Why something was not fetched, read or kept: stored beside the item."""

    # the way out
    ADDRESS_REFUSED = "address_refused"
    PORT_REFUSED = "port_refused"
    URL_INVALID = "url_invalid"
    URL_TOO_LONG = "url_too_long"
    SCHEME_REFUSED = "scheme_refused"
    OFFLINE = "offline"
    DNS = "dns"
    CONNECT = "connect"
    TLS_EXPIRED = "tls_expired"
    TLS_SELF_SIGNED = "tls_self_signed"
    TLS_WRONG_HOST = "tls_wrong_host"
    TLS_UNKNOWN_CA = "tls_unknown_ca"
    TLS_VERSION = "tls_version"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    ENCODING_REFUSED = "encoding_refused"
    ENCODING_BROKEN = "encoding_broken"
    REDIRECT_LIMIT = "redirect_limit"
    REDIRECT_LOOP = "redirect_loop"
    REDIRECT_REFUSED = "redirect_refused"
    # what the host said
    ROBOTS_DISALLOWED = "robots_disallowed"
    ROBOTS_UNREACHABLE = "robots_unreachable"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    GONE = "gone"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    UNEXPECTED_STATUS = "unexpected_status"
    HOST_BUSY = "host_busy"
    # what the bytes were
    NOT_A_FEED = "not_a_feed"
    FEED_EMPTY = "feed_empty"
    DTD_REFUSED = "dtd_refused"
    NOT_A_PAGE = "not_a_page"
    NO_URL = "no_url"
    PARSER_CRASH = "parser_crash"
    PARSER_TIMEOUT = "parser_timeout"
    PARSER_MEMORY = "parser_memory"
    PARSER_ERROR = "parser_error"
    EMPTY_EXTRACTION = "empty_extraction"
    # what a gate said
    TOO_SHORT = "too_short"
    WORD_EXCLUDED = "word_excluded"
    WORD_NOT_INCLUDED = "word_not_included"
    URL_NOT_ALLOWED = "url_not_allowed"
    DISCARDED = "discarded"
    # ours
    WORKER_LOST = "worker_lost"
    STORAGE = "storage"
    DATABASE = "database"
    MEMORY = "memory"
    INTERNAL = "internal"
    SOURCE_REMOVED = "source_removed"


class CTIScraperError(Exception):
    """Any error this product raises on purpose; its message names cause and way out."""


class SettingsError(CTIScraperError):
    """A setting is missing or wrong."""


class CatalogError(CTIScraperError):
    """A catalogue or import file is wrong; `problems` has one line each, with its place."""

    def __init__(self, problems: list[str]) -> None:
        """Keep every problem, so that all can be mended at once."""
        super().__init__("\n".join(problems))
        self.problems = problems


class ArchiveError(CTIScraperError):
    """An archive of the installation is damaged, or is none."""


class PackError(CTIScraperError):
    """A data pack, or a file with reference data, that cannot be taken; nothing of it was."""


class NotFoundError(CTIScraperError):
    """What was asked for does not exist."""


class ConflictError(CTIScraperError):
    """What was asked for contradicts what is stored."""


class StaleError(ConflictError):
    """An edit of what somebody else changed meanwhile; `seen` is the version it was made on."""

    def __init__(self, message: str, *, seen: int) -> None:
        """Name the version, so that what changed since can be shown."""
        super().__init__(message)
        self.seen = seen


class CursorError(CTIScraperError):
    """A cursor that no list gave."""


class QueryError(CTIScraperError):
    """A question to the database that is too broad to answer in time."""


class SearchSyntaxError(CTIScraperError):
    """A search that cannot be understood: what was expected, and where it stands in `text`."""

    def __init__(self, message: str, *, position: int, length: int) -> None:
        """Name the place in characters; `length` is 0 where something is missing."""
        super().__init__(message)
        self.text = ""
        self.position = position
        self.length = length


class InputError(CTIScraperError):
    """What was given cannot be taken as it is."""


class TooManyError(CTIScraperError):
    """Something was tried too often; `retry_after` says in how many seconds it may be again."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        """Say how long to wait."""
        super().__init__(message)
        self.retry_after = retry_after


class SignOnError(CTIScraperError):
    """Somebody whom nobody vouches for in a way that holds, or who has no business here."""


class UnavailableError(CTIScraperError):
    """A part of the product that does not run here."""


class FetchError(CTIScraperError):
    """An HTTP exchange that gave no usable answer.

    `scope` says whom it counts against, `transient` whether trying again may help,
    `retry_after` (seconds) what the host asked for; `requests` counts those made. `answered` is set
    where the host had answered just before.
    """

    def __init__(  # noqa: PLR0913 - each field is stored beside the item
        self,
        reason: Reason,
        detail: str = "",
        *,
        scope: Scope = Scope.HOST,
        transient: bool = True,
        status: int | None = None,
        retry_after: float | None = None,
        url: str = "",
    ) -> None:
        """Name the reason and what the stage needs to decide."""
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.scope = scope
        self.transient = transient
        self.status = status
        self.retry_after = retry_after
        self.url = url
        self.requests = 0
        self.answered = False


class ModelFault(StrEnum):
    """Why a language model gave no answer that can be used: stored beside what was asked."""

    OFF = "off"
    AWAY = "away"
    BROKE_OFF = "broke_off"
    BUSY = "busy"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    MODEL_MISSING = "model_missing"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_LONG = "too_long"
    CUT_OFF = "cut_off"
    BAD_ANSWER = "bad_answer"
    WRONG_LANGUAGE = "wrong_language"
    OVER_BUDGET = "over_budget"
    TLP = "tlp"
    LOST = "lost"
    UNFORESEEN = "unforeseen"


class ModelError(CTIScraperError):
    """A language model that gave no answer that can be used.

    `transient` says whether asking again later may help, be it that somebody mends a key; `raw` is
    what it answered, if anything.
    `begun` is set where it had begun to answer, `tokens` to what that cost where it was told.
    """

    def __init__(
        self, fault: ModelFault, detail: str = "", *, transient: bool = True, raw: str = ""
    ) -> None:
        """Name the fault and what the queue needs to decide."""
        super().__init__(f"{fault}: {detail}" if detail else str(fault))
        self.fault = fault
        self.detail = detail
        self.transient = transient
        self.raw = raw
        self.begun = False
        self.tokens = 0


class ParseError(CTIScraperError):
    """Bytes that could not be read as what they should be; `requests` counts what they took."""

    def __init__(self, reason: Reason, detail: str = "", *, transient: bool = False) -> None:
        """Name the reason; a transient one (a killed parser) may be tried again."""
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.transient = transient
        self.requests = 0


class StorageError(CTIScraperError):
    """Our own database or disk failed: never counted against a source or an item."""

    def __init__(
        self, reason: Reason, detail: str = "", *, transient: bool = True, of_one: bool = False
    ) -> None:
        """Name which part failed; one that is not transient lasts until somebody mends it.

        `of_one` is an answer that may be so of this one thing alone.
        """
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.transient = transient
        self.of_one = of_one
