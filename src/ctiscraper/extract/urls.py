"""URLs: the form that is kept, the key two are compared by, and what may be shown."""

import hashlib
import html
import re
import unicodedata
from urllib.parse import unquote

import ada_url

from ctiscraper.errors import ParseError, Reason
from ctiscraper.extract.redirectors import unwrap

MAX_URL_BYTES = 4096
# RFC 1035 section 2.3.4, as it is written: a name that is longer resolves nowhere.
MAX_HOST = 253

_TRACKERS = """
fbclid gclid gclsrc dclid gbraid wbraid msclkid yclid ysclid twclid ttclid igshid igsh
li_fat_id mc_cid mc_eid mkt_tok _hsenc _hsmi __hssc __hstc __hsfp hsctatracking vero_id
vero_conv oly_anon_id oly_enc_id s_cid s_kwcid wickedid rb_clickid ml_subscriber
ml_subscriber_hash _openstat cmpid icid ncid spm scm_source ref_src ref_url guccounter
guce_referrer guce_referrer_sig trk trkcampaign sc_campaign sc_channel sc_content sc_country
sc_geo sc_medium sc_outcome _ga _gl at_medium at_campaign at_custom1 at_custom2 at_custom3
at_custom4 epik fb_action_ids fb_action_types fb_source srsltid pk_campaign pk_kwd pk_source
pk_medium mtm_campaign mtm_source mtm_medium mtm_kwd
"""
_TRACKING = frozenset(_TRACKERS.split())
_TRACKING_PREFIXES = ("utm_", "hsa_", "matomo_", "__hs", "piwik_")
# Parameters that say where a reader came from, by values that can mean nothing else.
_ORIGIN_NAMES = frozenset(
    (
        "source",
        "src",
        "ref",
        "from",
        "via",
        "referrer",
        "partner",
        "emc",
        "cmp",
        "ftag",
        "mod",
        "xtor",
        "origin",
        "medium",
    )
)
_ORIGIN_VALUE = re.compile(r"rss(?:[-_:].*|feed|\d*)|rssfeed.*|feedburner|.*-{4,}.*", re.IGNORECASE)
_FLAG_VALUE = re.compile(r"(?:1|true|yes)", re.IGNORECASE)
_AMP_PARAMETERS = frozenset({"amp", "amp=", "amp=1", "amp=true", "outputtype=amp"})
_AMP_TAIL = re.compile(r"(?:/amp(?:\.html)?|\.amp(?=\.html$)|\.amp)(/?)$", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_STRIPPED = re.compile(r"[\t\n\r]")
_EDGES = "".join(map(chr, range(33)))
_DEFAULT_PORTS = {"https:": "443", "http:": "80"}


def _parse(url: str) -> ada_url.URL:
    """The URL by the WHATWG rules, http and https only."""
    if len(url) > MAX_URL_BYTES or len(url.encode("utf-8", "replace")) > MAX_URL_BYTES:
        raise ParseError(Reason.URL_TOO_LONG, f"more than {MAX_URL_BYTES} bytes")
    try:
        parsed = ada_url.URL(url.encode("utf-8", "replace").decode("utf-8"))
    except ValueError:
        raise ParseError(Reason.URL_INVALID, url[:200]) from None
    if parsed.protocol not in _DEFAULT_PORTS:
        raise ParseError(Reason.SCHEME_REFUSED, parsed.protocol[:40])
    if len(parsed.hostname.removesuffix(".")) > MAX_HOST:
        raise ParseError(Reason.URL_INVALID, f"a host name of more than {MAX_HOST} characters")
    if len(parsed.href) > MAX_URL_BYTES:
        raise ParseError(Reason.URL_TOO_LONG, f"more than {MAX_URL_BYTES} bytes when encoded")
    return parsed


def _is_tracking(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    name = unquote(name).lower()
    if name in _TRACKING or name.startswith(_TRACKING_PREFIXES):
        return True
    if name in _ORIGIN_NAMES:
        return _ORIGIN_VALUE.fullmatch(value) is not None
    return name == "rss" and _FLAG_VALUE.fullmatch(value) is not None


def _without_tracking(search: str) -> str:
    """The query without tracking parameters, the others in their order."""
    kept = [p for p in search.removeprefix("?").split("&") if p and not _is_tracking(p)]
    return "?" + "&".join(kept) if kept else ""


def _kept_fragment(fragment: str) -> str:
    """Only a hash-bang names another document."""
    return fragment if fragment.startswith("#!") else ""


def _rebuild(parsed: ada_url.URL) -> str:
    return (
        f"{parsed.protocol}//{parsed.host}{parsed.pathname}"
        f"{_without_tracking(parsed.search)}{_kept_fragment(parsed.hash)}"
    )


def canonical_url(url: str) -> str:
    """The URL that is kept: WHATWG form, A-label host, unwrapped, nothing that only tracks.

    Scheme, `www.`, parameter order and trailing slash stay as they are; credentials go.
    Raises ParseError (URL_TOO_LONG, URL_INVALID, SCHEME_REFUSED).
    """
    current = _rebuild(_parse(url))
    while (inner := unwrap(current)) is not None:
        try:
            target = _rebuild(_parse(inner))
        except ParseError:
            break
        if len(target) >= len(current):
            break
        current = target
    return current


def _normal_escape(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else match[0].upper()


def _key_path(path: str) -> str:
    path = _AMP_TAIL.sub(r"\1", _ESCAPE.sub(_normal_escape, path))
    return path.rstrip("/") or "/"


def _key_search(search: str) -> str:
    kept = [p for p in search.removeprefix("?").split("&") if p.lower() not in _AMP_PARAMETERS]
    return _ESCAPE.sub(_normal_escape, "&".join(kept))


def normal_form(url: str) -> str:
    """The words `url_key` hashes: scheme, AMP and trailing slash no longer count."""
    parsed = _parse(canonical_url(url))
    host = parsed.hostname.rstrip(".")
    port = f":{parsed.port}" if parsed.port else ""
    search = _key_search(parsed.search)
    return (
        f"//{host}{port}{_key_path(parsed.pathname)}"
        f"{'?' + search if search else ''}{_kept_fragment(parsed.hash)}"
    )


def url_key(url: str) -> bytes:
    """The sha256 of the normal form: equal for URLs that name the same article."""
    return hashlib.sha256(normal_form(url).encode()).digest()


def host_of(url: str) -> str:
    """The host in A-label form, or empty when there is none."""
    try:
        return _parse(url).hostname
    except ParseError:
        return ""


_HOST_PREFIX = re.compile(r"^(?:www\d?|m|mobile|amp)\.")


def is_same_site(first: str, second: str) -> bool:
    """True when the hosts differ by no more than `www.`, `m.`, `mobile.` or `amp.`."""
    one, two = host_of(first), host_of(second)
    return bool(one) and _HOST_PREFIX.sub("", one) == _HOST_PREFIX.sub("", two)


_AMP_SEGMENTS = re.compile(
    r"(?:/(?:amp|print|index\.[a-z]{3,5}|\d{1,3}|amp\.html)|\.amp)*/?$", re.IGNORECASE
)


def is_sane_canonical(page: str, canonical: str) -> bool:
    """True when a page's canonical link may stand for the page.

    It must be of the same site and must not be the home page or a folder above the page.
    """
    if not is_same_site(page, canonical):
        return False
    own, other = _parse(page), _parse(canonical)
    path = other.pathname.rstrip("/")
    if not path:
        return not own.pathname.rstrip("/") and own.search == other.search
    above = own.pathname.startswith(path + "/") and own.pathname.rstrip("/") != path
    return not above or _AMP_SEGMENTS.fullmatch(own.pathname[len(path) :]) is not None


# Most links need no parser: what these match is its own WHATWG form.
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9-]+(?:\.[a-z0-9-]*[a-z][a-z0-9-]*)+/[A-Za-z0-9_/?=&+,;:@~-]*"
)
_PLAIN_PATH = re.compile(r"/(?!/)[A-Za-z0-9_/?=&+,;:@~-]*")
_ORIGIN = re.compile(r"https?://[^/?#]+")


def absolute_url(base: str, reference: str) -> str | None:
    """The http or https URL a reference means on a page, or None."""
    reference = reference.strip(_EDGES)
    if not reference or len(reference) > MAX_URL_BYTES:
        return None
    if _PLAIN_URL.fullmatch(reference):
        return reference
    if _PLAIN_PATH.fullmatch(reference) and (origin := _ORIGIN.match(base)):
        return origin[0] + reference
    try:
        joined = ada_url.URL(
            reference.encode("utf-8", "replace").decode(), base.encode("utf-8", "replace").decode()
        )
    except ValueError:
        return None
    if joined.protocol not in _DEFAULT_PORTS or len(joined.href) > MAX_URL_BYTES:
        return None
    return joined.href


def safe_href(url: str) -> str | None:
    """The link target in its WHATWG form when it is http, https or mailto, else None."""
    plain = _STRIPPED.sub("", html.unescape(url)).strip(_EDGES)
    if not plain or len(plain) > MAX_URL_BYTES:
        return None
    try:
        parsed = ada_url.URL(plain.encode("utf-8", "replace").decode())
    except ValueError:
        return None
    if parsed.protocol == "mailto:" or parsed.protocol in _DEFAULT_PORTS:
        return parsed.href if len(parsed.href) <= MAX_URL_BYTES else None
    return None


def _script(char: str) -> str:
    """The script of a letter, from its Unicode name; Japanese and Korean mix by nature."""
    name = unicodedata.name(char, "UNKNOWN").partition(" ")[0]
    return "CJK" if name in {"HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"} else name


def display_host(host: str) -> str:
    """The host as shown: Unicode, or `xn--… (Unicode)` when its labels mix scripts.

    The whole host counts, so that a Cyrillic name under a Latin top level shows both.
    """
    host = clean_host(host)
    ascii_host = ada_url.idna_to_ascii(host.encode("utf-8", "replace")).decode("ascii", "replace")
    if "xn--" not in ascii_host:
        return ascii_host or host
    shown = clean_host(ada_url.idna_to_unicode(ascii_host.encode()))
    scripts = {_script(c) for c in shown if c.isalpha()}
    return shown if len(scripts) == 1 else f"{ascii_host} ({shown})"


def clean_host(host: str) -> str:
    """A host that is none, made harmless to show."""
    return "".join(c for c in host if c.isprintable())[:253]
