"""Each reason in plain words: what happened, and what one can do about it."""

from dataclasses import dataclass

from ctiscraper.errors import Reason
from ctiscraper.types import Health


@dataclass(frozen=True, slots=True)
class Words:
    """A cause as a sentence, and the way out."""

    cause: str
    advice: str


_WORDS: dict[str, Words] = {
    Reason.ADDRESS_REFUSED: Words(
        "The name leads to a private or reserved address, which is never asked.",
        "Check the URL; an operator can allow a private network in CTISCRAPER_EGRESS_ALLOW_CIDRS.",
    ),
    Reason.PORT_REFUSED: Words(
        "The URL names a port that is not allowed.",
        "Use the site's ordinary address, or let an operator list the port.",
    ),
    Reason.URL_INVALID: Words(
        "The address is not a URL that can be asked.", "Correct the URL of the source."
    ),
    Reason.URL_TOO_LONG: Words(
        "The address is longer than 4,096 bytes.", "Nothing to do: the site announced it so."
    ),
    Reason.SCHEME_REFUSED: Words(
        "The address is neither http nor https.", "Correct the URL of the source."
    ),
    Reason.OFFLINE: Words(
        "This machine has no way to the internet, so nothing is counted against the source.",
        "Check the network; collection goes on by itself once it is back.",
    ),
    Reason.DNS: Words(
        "The host name does not resolve.",
        "Check that the site still exists under this name; it is asked again, ever less often.",
    ),
    Reason.CONNECT: Words(
        "The host does not accept connections.",
        "Open the site in a browser; it is asked again, ever less often.",
    ),
    Reason.TLS_EXPIRED: Words(
        "The site's TLS certificate has expired.", "Tell the site; checks go on by themselves."
    ),
    Reason.TLS_SELF_SIGNED: Words(
        "The site shows a certificate that it signed itself.",
        "An operator can add the site's authority to the CA bundle.",
    ),
    Reason.TLS_WRONG_HOST: Words(
        "The site's TLS certificate is for another host name.",
        "Use the name that the certificate is for.",
    ),
    Reason.TLS_UNKNOWN_CA: Words(
        "The site's TLS certificate comes from an unknown authority.",
        "An operator can add the authority to the CA bundle.",
    ),
    Reason.TLS_VERSION: Words(
        "The site speaks only an outdated version of TLS.", "Tell the site; TLS 1.2 is needed."
    ),
    Reason.TLS: Words(
        "A secure connection could not be made.", "Open the site in a browser to compare."
    ),
    Reason.TIMEOUT: Words(
        "The host did not answer in time.", "It is asked again by itself, ever less often."
    ),
    Reason.PROTOCOL: Words(
        "The host's answer breaks the rules of HTTP.", "It is asked again by itself."
    ),
    Reason.TRUNCATED: Words(
        "The connection ended before the answer was whole.", "It is asked again by itself."
    ),
    Reason.TOO_LARGE: Words(
        "The answer is larger than is read.", "Point the source at a smaller feed or page."
    ),
    Reason.ENCODING_REFUSED: Words(
        "The host sent a compression that was not asked for.", "Tell the site; gzip is accepted."
    ),
    Reason.ENCODING_BROKEN: Words(
        "The compressed answer is broken.", "It is asked again by itself."
    ),
    Reason.REDIRECT_LIMIT: Words(
        "The address redirects more than five times.", "Use the address that it ends at."
    ),
    Reason.REDIRECT_LOOP: Words(
        "The address redirects in a circle.", "Find the feed's present address on the site."
    ),
    Reason.REDIRECT_REFUSED: Words(
        "The address redirects to a place that is not allowed.",
        "Look where it leads; from https to http is refused.",
    ),
    Reason.ROBOTS_DISALLOWED: Words(
        "The site's robots.txt asks not to be read here.",
        "Respect it, or record an override with its reason if you have permission.",
    ),
    Reason.ROBOTS_UNREACHABLE: Words(
        "The site's robots.txt cannot be read, so nothing of the site is.",
        "It is asked again by itself; nothing else is asked until then.",
    ),
    Reason.RATE_LIMITED: Words(
        "The site asked for slower requests.", "Its wish is obeyed; a longer interval helps."
    ),
    Reason.UNAUTHORIZED: Words("The site wants a login.", "Find a public feed of the same source."),
    Reason.FORBIDDEN: Words(
        "The site refuses this program.",
        "Ask the site to admit it, or turn page fetching off to keep the text of the feed.",
    ),
    Reason.NOT_FOUND: Words(
        "There is nothing at this address (404).", "Find the feed's present address on the site."
    ),
    Reason.GONE: Words(
        "The site says that this was removed for good (410).",
        "Find the feed's present address, or remove the source.",
    ),
    Reason.CLIENT_ERROR: Words(
        "The site rejects the request.", "Open the address in a browser to compare."
    ),
    Reason.SERVER_ERROR: Words(
        "The site has a fault of its own.", "It is asked again by itself, ever less often."
    ),
    Reason.UNEXPECTED_STATUS: Words(
        "The site gave an answer that means nothing here.",
        "Open the address in a browser to compare.",
    ),
    Reason.HOST_BUSY: Words(
        "Too many requests wait for their turn at this host, to which others lead as well.",
        "Nothing to do: it is tried again, at the pace of the host.",
    ),
    Reason.NOT_A_FEED: Words(
        "What stands at the address is not a feed.",
        "Give the address of the feed, or let the source be read by sitemap or listing.",
    ),
    Reason.FEED_EMPTY: Words(
        "The feed announces nothing.", "Look whether the site has moved to another feed."
    ),
    Reason.DTD_REFUSED: Words(
        "The feed declares XML entities, which is refused.", "Tell the site; no feed needs them."
    ),
    Reason.NOT_A_PAGE: Words(
        "What stands at the address is not a page of text.",
        "Nothing to do, unless the source announces only such files.",
    ),
    Reason.NO_URL: Words(
        "The announcement carries no address.", "Nothing to do: the site announced it so."
    ),
    Reason.PARSER_CRASH: Words(
        "The page broke the parser, in its own process.", "Retry after an update of the program."
    ),
    Reason.PARSER_TIMEOUT: Words(
        "Reading the page took too long.", "Retry, or give selectors for this site."
    ),
    Reason.PARSER_MEMORY: Words(
        "Reading the page took too much memory.", "Retry, or give selectors for this site."
    ),
    Reason.PARSER_ERROR: Words(
        "The page could not be read.", "Retry after an update of the program."
    ),
    Reason.EMPTY_EXTRACTION: Words(
        "No text was found in the page.",
        "Give selectors for this site; pages made by JavaScript alone have no text.",
    ),
    Reason.TOO_SHORT: Words(
        "The text is shorter than this source's minimum.",
        "Release it, or lower the minimum of the source.",
    ),
    Reason.WORD_EXCLUDED: Words(
        "The text has a word that this source excludes.",
        "Release it, or change the source's exclude words.",
    ),
    Reason.WORD_NOT_INCLUDED: Words(
        "The text has none of the words that this source wants.",
        "Release it, or change the source's include words.",
    ),
    Reason.URL_NOT_ALLOWED: Words(
        "The address matches none of the source's allow patterns.",
        "Release it, or change the source's allow patterns.",
    ),
    Reason.DISCARDED: Words("An operator set this item aside.", "Release it to bring it back."),
    Reason.INTERNAL: Words(
        "The program met a fault of its own.",
        "It is tried again; if it comes back, keep the detail for a report.",
    ),
    Reason.SOURCE_REMOVED: Words(
        "Its source was removed before the item was read.", "Add the source again and release it."
    ),
    Reason.WORKER_LOST: Words(
        "Every worker that took this item, or checked this source, ended without an answer.",
        "Retry once; if it comes back, keep its address for a report.",
    ),
    Reason.STORAGE: Words(
        "The disk or the raw store of this installation did not take or give bytes.",
        "Free disk space, or do what 'ctiscraper doctor' says of the raw store; work then goes on.",
    ),
    Reason.DATABASE: Words(
        "The database of this installation did not answer.", "Work goes on once it is back."
    ),
    Reason.MEMORY: Words(
        "This machine has too little memory, or too few processes or open files are allowed.",
        "Give it more, or fewer workers; it is retried.",
    ),
}

_HEALTH: dict[Health, str] = {
    Health.NEW: "Not checked yet",
    Health.OK: "Healthy",
    Health.OFFLINE: "We are offline",
    Health.FAILING: "Failing",
    Health.BLOCKED: "Blocked by the site",
    Health.GONE: "Gone",
    Health.PAUSED: "Paused",
}


def words_of(reason: str | None) -> Words | None:
    """The words for a stored reason; None for no reason.

    A reason that this version does not know is shown as it is stored.
    """
    if reason is None:
        return None
    return _WORDS.get(reason) or Words(
        f"The cause is recorded as '{reason}'.", "See the detail beside it."
    )


def health_words(health: Health) -> str:
    """A source's health in a word or two."""
    return _HEALTH[health]
