"""The markup of an article as a page shows it: sanitised again, every link with its host."""

import re
from collections.abc import Collection
from html import escape, unescape
from urllib.parse import urlsplit

from markupsafe import Markup

from ctiscraper.extract.sanitise import sanitise
from ctiscraper.web.render import is_web_link, shown_host

# The sanitiser writes these in one way only: lower case, double quotes, escaped values.
_LINK = re.compile(r'<a href="([^"]*)"([^>]*)>(.*?)</a>', re.DOTALL)
_OPENING = re.compile(r'<a [^>]*?href="([^"]*)"[^>]*>')
_TABLE = re.compile(r"<(/?)table>")
_PRE = re.compile(r"<pre>")
_TOP_HEADING = re.compile(r"<(/?)h1>")


def present(html: str) -> Markup:
    """Return stored markup, safe to show.

    Tables and code scroll by themselves and by keyboard; the page keeps its own top heading;
    a link says which host it leads to.
    """
    shown = _LINK.sub(_link, sanitise(html))
    shown = _TABLE.sub(_table, shown)
    shown = _PRE.sub('<pre tabindex="0">', shown)
    return Markup(_TOP_HEADING.sub(r"<\1h2>", shown))  # noqa: S704 - sanitised above


def without_links(markup: str, hosts: Collection[str], urls: Collection[str]) -> str:
    """Return presented markup in which what leads to these hosts or URLs is no link any more."""
    if not hosts and not urls:
        return markup

    def disarmed(match: re.Match[str]) -> str:
        url = unescape(match[1])
        host = _host(url)
        if host not in hosts and url not in urls and url.rstrip("/") not in urls:
            return match[0]
        words = escape(
            f"Not a link here: {host.replace('.', '[.]')} is held malicious or suspicious"
        )
        return f'<a class="disarmed" title="{words}">'

    return _OPENING.sub(disarmed, markup)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _link(match: re.Match[str]) -> str:
    href, rest, inside = match.groups()
    url = unescape(href)
    if not is_web_link(url):
        return match[0]
    host = shown_host(url)
    if _names_host(unescape(inside).strip(), host):
        return match[0]
    return f'<a class="out" data-host="{escape(host)}" href="{href}"{rest}>{inside}</a>'


def _names_host(text: str, host: str) -> bool:
    """Whether the words of a link are its address already, so that the host need not follow."""
    return text == host or (is_web_link(text) and shown_host(text) == host)


def _table(match: re.Match[str]) -> str:
    return "</table></div>" if match[1] else '<div class="wide" tabindex="0"><table>'
