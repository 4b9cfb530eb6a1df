"""Links that only wrap another link whose target stands in them."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

# Host and path prefix of the wrapper, and the query parameters that hold the target.
_BY_PARAMETER: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), names)
    for pattern, names in (
        (r"(?:www\.)?google\.[a-z.]{2,6}/url$", ("url", "q")),
        (r"(?:lm?|www)\.facebook\.com/(?:l\.php|flx/warn/)$", ("u",)),
        (r"l\.instagram\.com/$", ("u",)),
        (r"[a-z0-9]+\.safelinks\.protection\.outlook\.com/", ("url",)),
        (r"(?:t|href)\.umblr\.com/redirect$|t\.umblr\.com/redirect$", ("z",)),
        (r"out\.reddit\.com/", ("url",)),
        (r"(?:www\.)?linkedin\.com/(?:redir/redirect|safety/go)$", ("url",)),
        (r"slack-redir\.net/link$", ("url",)),
        (r"(?:www\.)?vk\.com/away\.php$", ("to",)),
        (r"(?:www\.)?youtube\.com/redirect$", ("q",)),
        (r"duckduckgo\.com/l/$", ("uddg",)),
        (r"steamcommunity\.com/linkfilter/", ("url", "u")),
        (r"feedproxy\.google\.com/", ("url",)),
        (r"feeds\.feedburner\.com/", ("url",)),
    )
)
_BY_PATH: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"https?://(?:www\.)?google\.[a-z.]{2,6}/amp/s/(.+)$"), "https://"),
    (re.compile(r"https?://(?:www\.)?google\.[a-z.]{2,6}/amp/(.+)$"), "http://"),
    (re.compile(r"https?://[a-z0-9-]+\.cdn\.ampproject\.org/[cvi]/s/(.+)$"), "https://"),
    (re.compile(r"https?://[a-z0-9-]+\.cdn\.ampproject\.org/[cvi]/(.+)$"), "http://"),
    (re.compile(r"https?://href\.li/\?(https?://.+)$"), ""),
)
_PROOFPOINT_V3 = re.compile(r"https?://urldefense\.(?:com|us)/v3/__(https?://.+?)__;")
_PROOFPOINT_V2 = re.compile(r"https?://urldefense\.proofpoint\.com/v2/url\?(.+)$")


def _proofpoint(url: str) -> str | None:
    if match := _PROOFPOINT_V3.match(url):
        return match[1] if "*" not in match[1] else None
    if match := _PROOFPOINT_V2.match(url):
        wrapped = dict(parse_qsl(match[1])).get("u", "")
        return unquote(wrapped.replace("-", "%").replace("_", "/")) or None
    return None


def _from_parameter(url: str) -> str | None:
    # Most links have no query: the patterns need not be tried.
    if "?" not in url:
        return None
    parts = urlsplit(url)
    place = parts.netloc + parts.path
    for pattern, names in _BY_PARAMETER:
        if pattern.match(place):
            values = dict(parse_qsl(parts.query))
            return next((values[n] for n in names if values.get(n, "").startswith("http")), None)
    return None


def unwrap(url: str) -> str | None:
    """The target a redirect wrapper, AMP cache or mail filter link holds, or None."""
    for pattern, scheme in _BY_PATH:
        if match := pattern.match(url):
            return scheme + match[1]
    return _proofpoint(url) or _from_parameter(url)
