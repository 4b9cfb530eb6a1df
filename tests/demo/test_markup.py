"""The sample articles' markup."""

import pytest

from ctiscraper.demo.markup import to_html

TABLE = (
    "<table><thead><tr><th>a</th><th>b</th></tr></thead>"
    "<tbody><tr><td>1</td><td><code>2</code></td></tr></tbody></table>"
)
FOLDED = "<details><summary>why</summary>\n<p>text</p>\n</details>\n<p>after</p>"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("## A & B", "<h2>A &amp; B</h2>"),
        ("- one\n  more\n- two", "<ul><li>one more</li><li>two</li></ul>"),
        ("> said\n> he", "<blockquote><p>said he</p></blockquote>"),
        ("`a<b` **c**", "<p><code>a&lt;b</code> <strong>c</strong></p>"),
        (
            "*d* and 2*3, e*f*g, `*` **h**",
            "<p><em>d</em> and 2*3, e*f*g, <code>*</code> <strong>h</strong></p>",
        ),
        ("[d](https://e.example/)", '<p><a href="https://e.example/">d</a></p>'),
        (
            "```sh\na <b>\n\n# c\n```",
            '<pre><code class="language-sh">a &lt;b&gt;\n\n# c</code></pre>',
        ),
        ("| a | b |\n|---|---|\n| 1 | `2` |", TABLE),
        ("::: why\ntext\n:::\nafter", FOLDED),
    ],
)
def test_each_kind_of_block(text: str, html: str) -> None:
    assert to_html(text) == html
