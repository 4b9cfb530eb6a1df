import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from ctiscraper.extract.sanitise import sanitise

VECTORS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://track.example/p.gif'>",
    "<svg><script>alert(1)</script></svg>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='/relative'>x</a>",
    "<p style='background:url(//track.example)'>x</p>",
    "<p onclick=alert(1) id=a class=b>x</p>",
    "<iframe src='https://a.example'></iframe>",
    "<form action='https://a.example'><input name=a><button>b</button></form>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1>'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<base href='https://a.example'><meta http-equiv=refresh content='0;url=//a.example'>",
    "<code class='language-x\" onload=alert(1)'>x</code>",
    "<details ontoggle=alert(1) open>x</details>",
    "<td colspan='1e9'>x</td>",
    "<video src=//a.example></video><audio src=//a.example></audio>",
    "<template><img src=x onerror=alert(1)></template>",
    "<style>@import '//a.example'</style><link rel=stylesheet href=//a.example>",
    "<object data=x></object><embed src=x><applet code=x>",
]
ALLOWED = {
    "a": {"href", "rel"}, "code": {"class"}, "details": {"open"}, "ol": {"start"},
    "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"},
}  # fmt: skip
FORBIDDEN = {
    "script", "img", "svg", "math", "iframe", "form", "input", "button", "base", "meta", "link",
    "style", "object", "embed", "applet", "video", "audio", "template", "noscript",
}  # fmt: skip


def check(markup: str) -> None:
    """Read the answer as a browser would: nothing but the allowed elements and attributes."""
    body = LexborHTMLParser(f"<body>{markup}").body
    assert body is not None
    for element in body.traverse():
        assert element.tag not in FORBIDDEN
        assert not set(element.attributes) - ALLOWED.get(element.tag or "", set())
        href = element.attributes.get("href") or "https://"
        assert href.startswith(("http://", "https://", "mailto:"))


@pytest.mark.parametrize("vector", VECTORS)
def test_hostile_markup_is_disarmed(vector: str) -> None:
    clean = sanitise(f"<p>before</p>{vector}<p>after</p>")
    check(clean)
    assert "before" in clean
    assert sanitise(clean) == clean


@given(
    st.lists(st.sampled_from([*VECTORS, "<b>", "</p>", "<table>", "text", "&lt;", "\0", "\ud800"]))
)
def test_any_mixture_is_disarmed_and_stable(parts: list[str]) -> None:
    clean = sanitise("".join(parts))
    check(clean)
    assert sanitise(clean) == clean


@given(st.text())
def test_sanitise_is_total(markup: str) -> None:
    check(sanitise(markup))


def test_structure_is_kept() -> None:
    markup = (
        '<h2>H</h2><table><tbody><tr><th colspan="2">a</th></tr></tbody></table>'
        '<pre><code class="language-yara">rule</code></pre>'
        '<details open=""><summary>s</summary><ul><li>x</li></ul></details>'
        '<ol start="3"><li>y</li></ol>'
    )
    assert sanitise(markup) == markup


def test_links_lose_the_power_over_the_opener() -> None:
    assert sanitise('<a href="https://b.example/" target="_blank" rel="opener">x</a>') == (
        '<a href="https://b.example/" rel="noopener noreferrer nofollow">x</a>'
    )


def test_a_million_references_end_in_good_time() -> None:
    assert len(sanitise("<p>" + "&amp;" * 1_000_000)) < 1_000_000
