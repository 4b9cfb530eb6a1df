import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ctiscraper.extract.article import clean_fragment
from ctiscraper.extract.render import decode_cfemail, render

BASE = "https://b.example/d/p"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a  b\n c</p><p>d</p>", "a b c\n\nd"),
        ("<p>a<br>b <br/> c</p>", "a\nb\nc"),
        ("<div>a<div>b</div>c</div>", "a\n\nb\n\nc"),
        ("a<b>b</b> <i>c</i>", "ab c"),
        ("<h2>Head <a href='#h'>#</a></h2><p>x</p>", "Head\n\nx"),
        ("<ul><li>a<li>b <b>c</b></ul>", "- a\n- b c"),
        ("<ol start=3><li>a</li><li>b</li></ol>", "3. a\n4. b"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ul><li><p>a</p><p>b</p></li></ul>", "- a\n  b"),
        ("<ul><li>a<pre>x\n  y</pre></li><li>b</li></ul>", "- a\n\nx\n  y\n\n- b"),
        ("<ul><ul><li>a</li></ul></ul>", "- a"),
        ("<table><tr><td>a<td>b<tr><td>c<td>d<br>e</table>", "a | b\nc | d e"),
        ("<table><caption>T</caption><tr><th>a</th></tr></table>", "T\n\na"),
        ("<table role=presentation><tr><td>a<td>b</table>", "a\n\nb"),
        ("<table><tr><td><table><tr><td>a<td>b</table></table>", "a | b"),
        ("<pre>  a\n\tb&lt;c  \n</pre>", "  a\n\tb<c"),
        ("<pre>a<br>b</pre>", "a\nb"),
        ("<pre><div>a</div><div>b <i>c</i></div></pre>", "a\nb c"),
        ("<details><summary>s</summary>t</details>", "s\n\nt"),
        ("<dl><dt>a<dd>b</dl>", "a\n\nb"),
        ("<figure><img src=x alt=y><figcaption>c</figcaption></figure>", "c"),
        ("<blockquote>a<p>b</blockquote>", "a\n\nb"),
        ("a<hr>b", "a\n\nb"),
        ("x&nbsp;y &amp; z", "x y & z"),
    ],
)
def test_structure_becomes_lines(markup: str, text: str) -> None:
    assert clean_fragment(markup, BASE)[0] == text


@pytest.mark.parametrize(
    ("markup", "clean"),
    [
        (
            "<a href='../x?a=1&amp;b=2' onclick=y>l</a>",
            (
                '<p><a href="https://b.example/x?a=1&amp;b=2" rel="noopener noreferrer nofollow">'
                "l</a></p>"
            ),
        ),
        ("<p><a href='javascript:x'>l</a></p>", "<p>l</p>"),
        ("<p><span style='a'>x</span><font>y</font></p>", "<p>xy</p>"),
        ("<ol start=3><li>a</ol>", '<ol start="3">\n<li>\na\n</li>\n</ol>'),
        ("<td colspan=2>a", "<p>a</p>"),
        (
            "<table><tr><td colspan=2>a</td></tr><tr><th>b<th>c</tr></table>",
            (
                '<table><tbody><tr><td colspan="2">a</td></tr>'
                "<tr><th>b</th><th>c</th></tr></tbody></table>"
            ),
        ),
        ("<pre class='brush: bash'>x</pre>", '<pre><code class="language-bash">x</code></pre>'),
        (
            "<details open><summary>s</summary></details>",
            '<details open="">\n<summary>s</summary>\n</details>',
        ),
        ("<p><b>a<p>b</b>", "<p><b>a</b></p>\n<p>b</p>"),
    ],
)
def test_markup_is_plain_and_safe(markup: str, clean: str) -> None:
    assert clean_fragment(markup, BASE)[1] == clean


TOKENS = """
<p> </p> <div> </div> <ul> <li> </ul> <b> </b> <table> <tr> <td> </table> <h2> </h2> <br>
<blockquote> </blockquote> <details> <summary> </details> <code> </code> one two & 1[.]2
"""
PARTS = st.lists(st.sampled_from(TOKENS.split()), max_size=30)


@given(PARTS)
def test_text_and_markup_say_the_same_words(parts: list[str]) -> None:
    text, clean = clean_fragment(" ".join(parts), BASE)
    plain = html.unescape(re.sub(r"<[^>]*>", " ", clean))
    assert re.findall(r"[a-z]+|1\[\.\]2", plain) == re.findall(r"[a-z]+|1\[\.\]2", text)


def test_protected_addresses_are_read() -> None:
    secret = bytes([0x42, *(b ^ 0x42 for b in b"ops@evil.example")]).hex()
    markup = f"<p>Mail <a class='__cf_email__' data-cfemail='{secret}'>[email protected]</a></p>"
    assert clean_fragment(markup)[0] == "Mail ops@evil.example"
    assert decode_cfemail("zz") == decode_cfemail("") == ""


SPACED = st.text(st.sampled_from("ab  \n\t\r\xa0\u2009\u00ad\u200b<&é"), max_size=40)


@given(SPACED, SPACED)
def test_space_in_a_block_is_collapsed_whatever_it_is(first: str, second: str) -> None:
    block = etree.Element("div")
    block.text = first
    etree.SubElement(block, "br").tail = second
    lines = [re.sub(r"[ \t\r\n\f\v\xa0]+", " ", text) for text in (first, second)]
    joined = re.sub(r" *\n *", "\n", "\n".join(lines)).strip()
    assert render([block], "")[0] == re.sub(r"  +", " ", joined)
