import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.errors import ParseError, Reason
from ctiscraper.extract.urls import (
    absolute_url,
    canonical_url,
    display_host,
    is_same_site,
    is_sane_canonical,
    safe_href,
    url_key,
)

PATHS = st.lists(
    st.sampled_from(["a", "%7e", "%c3%a4", "amp", "..", "x y", "2026", "é"]), max_size=5
)
PARAMETERS = st.lists(
    st.sampled_from(
        ["utm_source=x", "b=2", "a=1", "gclid", "amp", "q=%41&r", "url=http://z.example/"]
    ),
    max_size=4,
)
URLS = st.builds(
    lambda scheme, host, path, query, tail: (
        f"{scheme}://{host}/{'/'.join(path)}?{'&'.join(query)}{tail}"
    ),
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(
        ["blog.example", "WWW.Blog.Example:443", "пример.рф", "www.google.com", "u:p@h.example"]
    ),
    PATHS,
    PARAMETERS,
    st.sampled_from(["", "#top", "#!/route", "/"]),
)


@given(URLS)
def test_the_canonical_form_and_the_key_are_stable(url: str) -> None:
    form = canonical_url(url)
    assert canonical_url(form) == form
    assert url_key(form) == url_key(url)


@given(st.text(max_size=100) | URLS)
def test_any_text_gives_a_form_or_a_typed_refusal(url: str) -> None:
    try:
        form = canonical_url(url)
    except ParseError as error:
        form = f"https://{error.reason}"
    assert form.startswith(("http://", "https://"))
    assert len(form) <= 4096


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("HTTP://Example.COM:80/a/../b/?utm_source=f&z=2&a=1#top", "http://example.com/b/?z=2&a=1"),
        ("https://user:secret@blog.example/x", "https://blog.example/x"),
        ("https://app.example/#!/post/1", "https://app.example/#!/post/1"),
        ("https://b.example/x?UTM_Medium=a&%75tm_id=1&fbclid=2&id=7", "https://b.example/x?id=7"),
        ("https://пример.рф/", "https://xn--e1afmkfd.xn--p1ai/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        (
            "https://www.google.com/url?sa=t&url=https%3A%2F%2Fb.example%2Fp%3Futm_source%3Dg",
            "https://b.example/p",
        ),
        ("https://www.google.com/amp/s/b.example/p", "https://b.example/p"),
        ("https://b-example.cdn.ampproject.org/c/s/b.example/p", "https://b.example/p"),
        ("https://urldefense.com/v3/__https://b.example/p__;!!x$", "https://b.example/p"),
        (
            "https://urldefense.proofpoint.com/v2/url?u=https-3A__b.example_p&d=x",
            "https://b.example/p",
        ),
        (
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fb.example%2Fp&data=1",
            "https://b.example/p",
        ),
        ("https://www.facebook.com/l.php?u=javascript%3Aalert(1)", None),
        ("https://feeds.feedburner.com/~r/x/~3/abc/", None),
    ],
)
def test_canonical_urls(url: str, form: str | None) -> None:
    assert canonical_url(url) == (form or url)


@pytest.mark.parametrize(
    "twin",
    [
        "https://blog.example/post",
        "http://blog.example:80/post/",
        "https://blog.example/post/amp/",
        "https://blog.example/post?amp=1",
        "https://blog.example/post?utm_campaign=x#comments",
        "https://BLOG.example./%70ost",
    ],
)
def test_urls_of_one_article_have_one_key(twin: str) -> None:
    assert url_key(twin) == url_key("http://blog.example/post")


@pytest.mark.parametrize(
    "other",
    [
        "https://www.blog.example/post",
        "https://blog.example/post?id=2",
        "https://blog.example/Post",
        "https://blog.example:8443/post",
        "https://blog.example/post#!/2",
    ],
)
def test_urls_of_other_articles_have_other_keys(other: str) -> None:
    assert url_key(other) != url_key("https://blog.example/post")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://blog.example/" + "a" * 4096, Reason.URL_TOO_LONG),
        ("https://blog.example/" + "\u00e4" * 900, Reason.URL_TOO_LONG),
        ("ftp://blog.example/", Reason.SCHEME_REFUSED),
        ("javascript:alert(1)", Reason.SCHEME_REFUSED),
        ("https://", Reason.URL_INVALID),
        ("", Reason.URL_INVALID),
        (f"https://{'a' * 60}{'.a' * 97}/", Reason.URL_INVALID),
    ],
)
def test_other_urls_are_refused_with_their_reason(url: str, reason: Reason) -> None:
    with pytest.raises(ParseError) as raised:
        canonical_url(url)
    assert raised.value.reason is reason


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        "javascript&colon;alert(1)",
        "&#106;avascript:alert(1)",
        "jav&#x0A;ascript:alert(1)",
        "data:text/html,x",
        "DATA:image/svg+xml,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://a.example/1",
        "//blog.example/x",
        "/x",
        "",
    ],
)
def test_only_safe_schemes_become_a_link(url: str) -> None:
    assert safe_href(url) is None


def test_safe_links_come_back_in_their_normal_form() -> None:
    assert safe_href(' https://Blog.example/"><b> ') == "https://blog.example/%22%3E%3Cb%3E"
    assert safe_href("mailto:team@blog.example") == "mailto:team@blog.example"


@given(st.text(max_size=80))
def test_safe_href_is_total(url: str) -> None:
    href = safe_href(url)
    assert href is None or href.startswith(("http://", "https://", "mailto:"))


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("p\u0430ypal.com", "xn--pypal-4ve.com (p\u0430ypal.com)"),
        (
            "\u0430\u0440\u0440\u04cf\u0435.com",
            "xn--80ak6aa92e.com (\u0430\u0440\u0440\u04cf\u0435.com)",
        ),
        ("xn--bcher-kva.example", "b\u00fccher.example"),
        ("пример.рф", "пример.рф"),
        ("blog.example", "blog.example"),
    ],
)
def test_hosts_of_mixed_scripts_show_both_forms(host: str, shown: str) -> None:
    assert display_host(host) == shown


@given(st.text(max_size=60))
def test_display_host_is_total(host: str) -> None:
    assert display_host(host).isprintable()


@pytest.mark.parametrize(
    ("page", "link", "sane"),
    [
        ("https://b.example/p?utm_x=1", "https://www.b.example/p", True),
        ("https://b.example/2026/p/amp/", "https://b.example/2026/p", True),
        ("https://b.example/p/2", "https://b.example/p", True),
        ("https://b.example/blog/p", "https://b.example/", False),
        ("https://b.example/blog/p", "https://b.example/blog", False),
        ("https://b.example/p", "https://evil.example/p", False),
        ("https://b.example/p", "https://sub.b.example/p", False),
        ("https://b.example/", "https://b.example/", True),
    ],
)
def test_canonical_links_are_obeyed_only_when_sane(page: str, link: str, sane: bool) -> None:
    assert is_sane_canonical(page, link) is sane


def test_sites_are_compared_without_their_usual_prefixes() -> None:
    assert is_same_site("https://www.b.example/", "http://m.b.example/x")
    assert not is_same_site("nonsense", "nonsense")


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("/a?b=1", "https://b.example/a?b=1"),
        ("c", "https://b.example/d/c"),
        ("//o.example/x", "https://o.example/x"),
        ("https://o.example/x", "https://o.example/x"),
        ("https://O.example/\u00e4", "https://o.example/%C3%A4"),
        ("/a/../b", "https://b.example/b"),
        ("javascript:x", None),
        ("mailto:a@b.example", None),
        ("", None),
        ("http://[", None),
    ],
)
def test_references_are_resolved_as_browsers_do(reference: str, target: str | None) -> None:
    assert absolute_url("https://b.example/d/p", reference) == target


@pytest.mark.parametrize(
    "query",
    [
        "source=rss-0a1b2c------2",
        "source=rss----7f3a---4",
        "source=collection_home---4------0-----------------------",
        "rss=1",
        "RSS=true",
        "ref=rss",
        "partner=rss&emc=rss",
        "mod=rss_technology",
        "xtor=RSS-3",
        "from=feedburner",
    ],
)
def test_words_that_say_only_that_a_feed_was_read_go(query: str) -> None:
    assert canonical_url(f"https://b.example/p?id=7&{query}") == "https://b.example/p?id=7"
    assert url_key(f"https://b.example/p?{query}") == url_key("https://b.example/p")


@pytest.mark.parametrize(
    "query",
    ["source=cisa", "ref=main", "rss=7", "feed=rss", "from=2026-01-01", "source=rssi", "via=a--b"],
)
def test_values_that_may_name_another_page_stay(query: str) -> None:
    assert canonical_url(f"https://b.example/p?{query}") == f"https://b.example/p?{query}"
