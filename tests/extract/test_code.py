import pytest

from ctiscraper.extract.code import code_language, code_text, normalise_code
from ctiscraper.extract.dom import parse_html, raw_text


@pytest.mark.parametrize(
    ("markup", "code"),
    [
        ("<pre>a\n  b\n</pre>", "a\n  b"),
        ("<pre>a<br>b</pre>", "a\nb"),
        ("<pre><ol><li>a</li><li>b <b>c</b></li></ol></pre>", "a\nb c"),
        ("<pre><span class=line>a</span><span class=line>b</span></pre>", "a\nb"),
        ("<pre><span class=line>a</span>\n<span class=line>b</span></pre>", "a\nb"),
        ("<pre><span class=line>a</span> b</pre>", "a b"),
        ("<pre><span class=lineno>1 </span>a\n<span class=lineno>2 </span>b</pre>", "a\nb"),
        ("<pre>a<span class=copy-button>Copy</span></pre>", "a"),
        ("<pre><code class=line-numbers>a 1</code></pre>", "a 1"),
        ("<pre>a\u00a0b\r\nc</pre>", "a b\nc"),
        ("<pre> </pre>", ""),
    ],
)
def test_code_is_verbatim_without_line_numbers(markup: str, code: str) -> None:
    root = parse_html(markup)
    assert root is not None
    assert code_text(next(root.iter("pre"))) == code


@pytest.mark.parametrize(
    ("markup", "language"),
    [
        ("<pre class='language-yara'>x</pre>", "yara"),
        ("<pre><code class='hljs lang-c++'>x</code></pre>", "c++"),
        ("<div class='language-bash highlighter'><pre>x</pre></div>", "bash"),
        ("<pre class='wide'>x</pre>", ""),
    ],
)
def test_the_language_is_read_from_its_usual_places(markup: str, language: str) -> None:
    root = parse_html(markup)
    assert root is not None
    assert code_language(next(root.iter("pre"))) == language


def test_a_table_of_values_is_no_code() -> None:
    markup = "<table><tr><td>1</td><td>evil[.]com</td></tr></table>"
    root = parse_html(markup)
    assert root is not None
    normalise_code(root)
    assert next(root.iter("pre"), None) is None


def test_a_gutter_beside_the_code_goes() -> None:
    root = parse_html("<div><pre class='line-numbers'>1\n2</pre><pre>a\nb</pre></div>")
    assert root is not None
    normalise_code(root)
    assert raw_text(root) == "a\nb"
