"""Faults of what is said: broken feeds, odd pages, robots.txt in every variant."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from internet.exchange import HTML, PLAIN, RSS, Exchange
from internet.layouts import blog
from internet.site import Site
from internet.wire_faults import Fault


def _newest(site: Site) -> str:
    return site.page(site.items[0])


async def _feed(x: Exchange, change: Callable[[str], str | bytes], kind: str = RSS) -> None:
    await x.send(change(x.site.rss()), kind=kind)


async def _page(x: Exchange, change: Callable[[str], str | bytes], kind: str = HTML) -> None:
    path = x.request.path.partition("?")[0]
    number = path.removeprefix("/a/")
    item = x.site.item(int(number)) if number.isdigit() else x.site.items[0]
    await x.send(change(x.site.page(item)), kind=kind)


def _swap(pattern: str, new: str, count: int = 0) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, lambda _: new, text, count=count, flags=re.DOTALL)


def _changing_guids(x: Exchange) -> Callable[[str], str]:
    return lambda text: text.replace('"false">', f'"false">{x.earlier}-')


def _duplicate_items(text: str) -> str:
    return re.sub(r"(<item>.*?</item>)", r"\1\1", text, flags=re.DOTALL)


def _many_items(text: str) -> str:
    match = re.search(r"<item>.*?</item>", text, flags=re.DOTALL)
    one = match.group(0) if match else ""
    items = "".join(re.sub(r"/a/\d+", f"/a/{n}", one) for n in range(20_000, 40_000))
    return text.replace("<item>", items + "<item>", 1)


_LAUGHS: Final = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + ']><rss version="2.0"><channel><title>&a9;</title></channel></rss>'
)
_XXE: Final = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<rss version="2.0"><channel><item><title>&x;</title></item></channel></rss>'
)
_EMPTY: Final = '<?xml version="1.0"?><rss version="2.0"><channel><title>e</title></channel></rss>'

FEED_FAULTS: Final[Mapping[str, Fault]] = {
    "broken_xml": partial(_feed, change=_swap("</title>", " &nbsp;<b & ", 3)),
    "truncated_xml": partial(_feed, change=lambda text: text[: len(text) // 2]),
    "billion_laughs": lambda x: x.send(_LAUGHS, kind=RSS),
    "xxe": lambda x: x.send(_XXE, kind=RSS),
    "html_as_feed": lambda x: x.send(x.site.front_page(), kind=RSS),
    "empty_feed": lambda x: x.send(_EMPTY, kind=RSS),
    "deep_xml": partial(_feed, change=_swap("</item>", "<a>" * 100_000, 1)),
    "latin1_as_utf8": partial(
        _feed, change=lambda t: t.replace("Site", "S\xefte").encode("latin-1")
    ),
    "utf16": partial(_feed, change=lambda t: t.replace("UTF-8", "UTF-16").encode("utf-16")),
    "cp1251": partial(
        _feed,
        change=lambda t: (
            t.replace("UTF-8", "windows-1251")
            .replace("Articles", "Угрозы")
            .encode("cp1251", "xmlcharrefreplace")
        ),
        kind="text/xml",
    ),
    "nul_bytes": partial(_feed, change=_swap("threats", "thr\0eats")),
    "control_characters": partial(_feed, change=_swap("threats", "thr\x0b\x1feats")),
    "byte_order_mark": partial(_feed, change=lambda text: b"\xef\xbb\xbf" + text.encode()),
    "leading_space": partial(_feed, change=lambda text: "\n\n  " + text),
    "bad_dates": partial(_feed, change=_swap(" GMT</pubDate>", " FOO 99:99</pubDate>")),
    "future_dates": partial(_feed, change=_swap(" 2026 ", " 2099 ")),
    "no_dates": partial(_feed, change=_swap("<pubDate>.*?</pubDate>", "")),
    "same_guids": partial(_feed, change=_swap("<guid.*?</guid>", "<guid>same</guid>")),
    "no_guids": partial(_feed, change=_swap("<guid.*?</guid>", "")),
    "changing_guids": lambda x: _feed(x, _changing_guids(x)),
    "relative_links": partial(_feed, change=_swap("<link>[^<]*?/a/", "<link>/a/")),
    "script_links": partial(_feed, change=_swap("<link>[^<]*?/a/", "<link>javascript:alert//", 3)),
    "no_links": partial(
        _feed, change=_swap("<item>(.*?)<link>.*?</link>", "<item><title>t</title>", 1)
    ),
    "long_links": partial(_feed, change=_swap("<link>[^<]*?/a/", f"<link>/a/{'z' * 5000}", 2)),
    "long_title": partial(_feed, change=_swap("<item><title>", "<item><title>" + "A" * 100_000, 2)),
    "duplicate_items": partial(_feed, change=_duplicate_items),
    "many_items": partial(_feed, change=_many_items),
}


async def _near_duplicate(x: Exchange) -> None:
    text = _newest(x.site)
    await x.send(text.replace("</h1>", " (updated)</h1>", 1).replace("<p>", "<p>Update: ", 1))


async def _canonical_elsewhere(x: Exchange) -> None:
    page = blog(x.site.article(x.site.items[0]))
    await x.send(page.replace(x.site.origin, x.canary_url.rpartition("/")[0], 1))


PAGE_FAULTS: Final[Mapping[str, Fault]] = {
    "meta_refresh": lambda x: x.send(
        '<html><head><meta http-equiv="refresh" content="0;url=/a/1"></head></html>'
    ),
    "canonical_elsewhere": _canonical_elsewhere,
    "js_only": lambda x: x.send('<html><body><div id="root"></div><script src="/app.js"></script>'),
    "paywall": lambda x: x.send(
        "<article><p>Subscribe to continue reading this story.</p></article>"
    ),
    "soft_404": lambda x: x.send("<html><body><h1>Page not found</h1><a href='/'>Home</a></body>"),
    "same_text": lambda x: x.send(_newest(x.site)),
    "near_duplicate": _near_duplicate,
    "deep_nesting": lambda x: x.send("<html><body>" + "<div>" * 100_000 + "deep"),
    "huge_attribute": lambda x: x.send(f'<html><body><div data-x="{"a" * (8 << 20)}">x</div>'),
    "many_paragraphs": lambda x: x.send("<html><body><article>" + "<p>a b" * 200_000),
    "unclosed_formatting": lambda x: x.send("<html><body>" + "<b><i><a href=x>" * 20_000 + "end"),
    "dots": lambda x: x.send(f"<article><p>{'a.' * 200_000}{'[.]' * 50_000}</p></article>"),
    "scripts": partial(
        _page,
        change=_swap("</h2>", "</h2><img src=x onerror=alert(1)><script>alert(2)</script>", 1),
    ),
    "wrong_charset": partial(
        _page, change=lambda t: t.replace("Indicator", "Indikat\xf6r").encode("cp1252")
    ),
    "empty_page": lambda x: x.send("<html><body></body></html>"),
    "binary_page": lambda x: x.send(b"%PDF-1.7\n\xff\xfe\0\0", kind="application/pdf"),
    "nul_page": partial(_page, change=_swap("</p>", "\0</p>")),
}


async def _robots(x: Exchange, text: str | bytes) -> None:
    await x.send(text, kind=PLAIN)


async def _robots_hang(x: Exchange) -> None:
    await x.wait_until_gone()


ROBOTS_FAULTS: Final[Mapping[str, Fault]] = {
    "robots_disallow": partial(_robots, text="User-agent: *\nDisallow: /\n"),
    "robots_pages_disallowed": partial(_robots, text="User-agent: *\nDisallow: /a/\n"),
    "robots_delay": partial(_robots, text="User-agent: *\nCrawl-delay: 5\n"),
    "robots_delay_huge": partial(_robots, text="User-agent: *\nCrawl-delay: 1000000000\n"),
    "robots_huge": lambda x: _robots(
        x, "User-agent: *\n" + "".join(f"Disallow: /p{n}/\n" for n in range(100_000))
    ),
    "robots_html": lambda x: x.send(x.site.front_page()),
    "robots_redirect": lambda x: x.redirect("/x/robots_delay", 301),
    "robots_bom": partial(_robots, text=b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /a/\r\n"),
    "robots_wildcard": partial(
        _robots, text="User-agent: *\nDisallow: /*.php$\nAllow: /a/\nDisallow: /a\n"
    ),
    "robots_hang": _robots_hang,
}
CONTENT_FAULTS: Final[Mapping[str, Fault]] = {**FEED_FAULTS, **PAGE_FAULTS, **ROBOTS_FAULTS}
