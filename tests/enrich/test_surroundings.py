"""What stands around a place: from the text, and from the markup of the same words."""

import time
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.enrich.observables import find_observables
from ctiscraper.enrich.surroundings import Surroundings


def reasons(text: str, value: str, html: str = "") -> set[str]:
    found = find_observables(text)
    one = next(o for o in found if o.value == value)
    return {name.partition(":")[0] for name in Surroundings(text, html, found).reasons(one)}


def test_a_table_with_a_column_of_indicators_says_so() -> None:
    html = "<table><tr><th>Type</th><th>SHA-256</th></tr></table>"
    told = "Type | SHA-256\nLoader | " + "a1" * 32
    assert reasons(told, "a1" * 32, html) == {"header", "attack"}
    untold = "Name | Number\nOtter | " + "a1" * 32
    assert reasons(untold, "a1" * 32, html) == {"table"}
    assert reasons(untold, "a1" * 32, "<p>no table</p>") == set()


def test_an_item_of_a_list_says_so() -> None:
    text = "Words.\n\n- evil-host.top\n- other"
    assert reasons(text, "evil-host.top", "<ul><li>evil-host.top</li></ul>") == {"list"}
    assert reasons(text, "evil-host.top") == {"list"}
    assert reasons(text, "evil-host.top", "<p>x</p>") == set()


def test_a_host_told_as_a_url_is_no_second_address() -> None:
    text = "C2 servers\n\na[.]top\nb[.]top\n"
    assert reasons(text, "http://a.top") == {"defanged", "infrastructure", "as_url"}
    assert "run" not in reasons(text, "a.top")


def test_code_is_known_by_the_markup() -> None:
    text = "Then evil-host.top was\n\nx = evil-stage.top\n\ny"
    html = "<p>Then <code>evil-host.top</code> was</p><pre><code>x = evil-stage.top</code></pre>"
    assert reasons(text, "evil-host.top", html) == {"code"}
    assert reasons(text, "evil-stage.top", html) == {"code"}
    assert reasons(text, "evil-stage.top", "<p>nothing</p>") == set()
    assert reasons("the `evil-host.top` is", "evil-host.top") == {"code"}


@pytest.mark.parametrize(
    ("words", "href", "linked"),
    [
        ("https://good.dev/a", "https://good.dev/a/", True),
        ("good.dev", "https://good.dev/", True),
        ("good.dev", "https://elsewhere.dev/about-good.dev", True),
        ("good.dev", "https://elsewhere.dev/", False),
        ("me@good.dev", "mailto:me@good.dev", True),
    ],
)
def test_a_live_link_is_known_by_its_target(words: str, href: str, linked: bool) -> None:
    text = f"It is {words} there"
    value = words
    html = f'<p>It is <a href="{escape(href)}" rel="nofollow">{words}</a> there</p>'
    assert ("linked" in reasons(text, value, html)) is linked


def test_what_is_defanged_is_no_live_link() -> None:
    text = "It is evil-host[.]top there"
    html = '<a href="https://evil-host.top/">evil-host[.]top</a>'
    assert reasons(text, "evil-host.top", html) == {"defanged"}


def test_the_sentence_tells() -> None:
    assert reasons("The malware contacts evil-host.top daily.", "evil-host.top") == {"attack"}
    assert reasons("For details see good.dev now.", "good.dev") == {"cited"}
    far = "The malware ran. Its author likes good.dev a lot. It drops files."
    assert reasons(far, "good.dev") == set()


def test_words_within_an_address_tell_nothing() -> None:
    assert (
        reasons("It is https://a.dev/malware/see and https://b.dev/x", "https://b.dev/x") == set()
    )


def test_many_of_a_sort_in_a_row_are_a_run() -> None:
    rows = "\n".join(f"evil{n}.top and what was seen of it in the month of May" for n in range(4))
    assert "run" in reasons(rows, "evil3.top")
    assert "run" not in reasons("\n".join(rows.split("\n")[:3]), "evil1.top")
    prose = " and then, after a while in which nothing much took place, ".join(
        f"evil{n}.top" for n in range(5)
    )
    assert "run" not in reasons(prose, "evil3.top")


def test_one_that_is_left_live_among_defanged_ones() -> None:
    text = "a[.]top b[.]top c[.]top, then good.dev"
    assert "left_live" in reasons(text, "good.dev")
    assert "left_live" not in reasons("a[.]top b[.]top, then good.dev", "good.dev")


def test_four_small_numbers_by_the_word_for_versions_are_one() -> None:
    assert "release" in reasons("Firmware 10.2 up to 10.2.7.4 is affected.", "10.2.7.4")
    assert "release" not in reasons("The server 10.2.7.4 was seen.", "10.2.7.4")
    assert "release" not in reasons("Firmware came from 10.2.7.204 then.", "10.2.7.204")


def test_the_hash_of_a_commit_is_told() -> None:
    assert "commit" in reasons("Fixed in commit " + "b6" * 20 + " in May.", "b6" * 20)


_PIECES = st.sampled_from(
    ["evil[.]top", "a.dev", " | ", "\n", "- ", "`", "malware ", "see ", "IOCs\n", "\u202e",
     "\ud800", "é", "1.2.3.4", "a1" * 20, "# x\n", ". "]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=40).map("".join), st.text(max_size=60))
def test_any_text_and_any_markup_can_be_asked(text: str, html: str) -> None:
    found = find_observables(text)
    around = Surroundings(text, html, found)
    for one in found:
        assert isinstance(around.reasons(one), list)


@pytest.mark.parametrize(
    ("unit", "markup"),
    [
        ("a.dev ", ""),
        ("a[.]dev malware ", ""),
        ("1.2.3.4 | ", "<table>"),
        ("# IOCs\n1.2.3.4\n", ""),
        ("see a.dev ", '<a href="https://a.dev">a.dev</a>'),
        ("a.dev\n", "<pre>a.dev</pre>"),
        ("a.dev\n", "<code><a>"),
        ("a.dev\n", "<h2>x"),
    ],
)
def test_time_grows_with_the_text_and_not_faster(unit: str, markup: str) -> None:
    def cpu(size: int) -> float:
        text = unit * (size // len(unit))
        html = markup * (size // len(markup)) if markup else ""
        found = find_observables(text)
        began = time.process_time()
        around = Surroundings(text, html, found)
        for one in found:
            around.reasons(one)
        return time.process_time() - began

    cpu(1000)
    small = min(cpu(10_000) for _ in range(3))
    assert min(cpu(80_000) for _ in range(2)) < max(small, 0.002) * 8 * 4
