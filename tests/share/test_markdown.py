"""Markup as Markdown: what stood there stands there, and nothing becomes markup that was none."""

import pytest

from ctiscraper.share.markdown import escaped, fenced, to_markdown

CASES = (
    ("<h2>Title</h2><p>One <b>two</b> <em>three</em>.</p>", "## Title\n\nOne **two** *three*.\n"),
    ("<ul><li>one</li><li>two<ul><li>in</li></ul></li></ul>", "- one\n\n- two\n\n  - in\n"),
    ('<ol start="3"><li>three</li><li>four</li></ol>', "3. three\n\n4. four\n"),
    ("<blockquote><p>said</p><p>more</p></blockquote>", "> said\n\n> more\n"),
    (
        '<pre><code class="language-python">a = "*"\n  b</code></pre>',
        '```python\na = "*"\n  b\n```\n',
    ),
    ("<p>run <code>a|b `c`</code></p>", "run `` a|b `c` ``\n"),
    (
        "<table><tr><th>Name</th><th>Hash</th></tr><tr><td>a|b</td>"  # noqa: ISC004 - one text
        "<td><code>x|y</code></td></tr><tr><td>only</td></tr></table>",
        "| Name | Hash |\n| --- | --- |\n| a\\|b | `x\\|y` |\n| only |  |\n",
    ),
    ('<p><a href="https://acme.example/(x)">there</a></p>', "[there](<https://acme.example/(x)>)\n"),
    ("<p>a_b * [c] &lt;script&gt; `d`</p>", "a\\_b \\* \\[c\\] \\<script\\> \\`d\\`\n"),
    ("<p># no heading</p><p>1. no item</p><p>- nor this</p>",
     "\\# no heading\n\n\\1. no item\n\n\\- nor this\n"),
    ("<p>one<br>two</p><hr><p>three</p>", "one\\\ntwo\n\n---\n\nthree\n"),
    ("plain", "plain\n"),
    ("", "\n"),
)  # fmt: skip


@pytest.mark.parametrize(("markup", "written"), CASES)
def test_markup_becomes_markdown(markup: str, written: str) -> None:
    assert to_markdown(markup) == written


def test_fences_are_longer_than_any_in_the_code() -> None:
    assert fenced("```\nx\n```") == "````\n```\nx\n```\n````"


def test_words_are_no_markup() -> None:
    assert escaped("*a* <b> | `c`") == "\\*a\\* \\<b\\> \\| \\`c\\`"
