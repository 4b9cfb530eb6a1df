"""Sections: what they are about, and where they end."""

import pytest

from ctiscraper.enrich.outline import Outline
from ctiscraper.enrich.scan import Scan

HTML = (
    "<h2>Overview</h2><p>A</p><h2>Indicators of Compromise</h2><h3>Loader</h3><p>B</p>"
    "<h3>References</h3><p>C</p><h2>The end</h2><p>D</p>"
)
TEXT = "Overview\n\nA\n\nIndicators of Compromise\n\nLoader\n\nB\n\nReferences\n\nC\n\nThe end\n\nD"


def test_a_section_is_about_what_its_heading_or_one_above_says() -> None:
    outline = Outline(Scan(TEXT), HTML)
    told = {letter: outline.at(TEXT.index(f"\n{letter}") + 1) for letter in "ABCD"}
    assert told == {
        "A": "",
        "B": "indicators:Indicators of Compromise",
        "C": "references:References",
        "D": "",
    }


def test_headings_of_plain_text_are_read_where_there_is_no_markup() -> None:
    text = "# Report on IOCs\n\nA\n\n## Samples\n\nB\n\n## Mitigations\n\nC"
    outline = Outline(Scan(text), "")
    assert outline.at(text.index("A")) == "titled:Report on IOCs"
    assert outline.at(text.index("B")) == "infrastructure:Samples"
    assert outline.at(text.rindex("C")) == "advice:Mitigations"
    ascii_doc = "= Otter\n\nA\n\n== Network indicators\n\nB"
    assert Outline(Scan(ascii_doc), "").at(len(ascii_doc) - 1) == "indicators:Network indicators"


@pytest.mark.parametrize(
    ("line", "topic"),
    [
        ("Indicators of Compromise (IOCs)", "indicators"),
        ("**IOCs:**", "indicators"),
        ("Appendix A: Indicators", "indicators"),
        ("4.2 File hashes", "indicators"),
        ("SHA-256", "indicators"),
        ("Domains:", "infrastructure"),
        ("References", "references"),
        ("Further reading", "references"),
        ("Mitigations", "advice"),
    ],
)
def test_a_line_that_is_a_label_is_a_heading(line: str, topic: str) -> None:
    text = f"Words before.\n\n{line}\n\nX"
    assert Outline(Scan(text), "").at(len(text) - 1).partition(":")[0] == topic


@pytest.mark.parametrize(
    "line", ["The indicators are below", "We found its domains in May.", "A sample of our work"]
)
def test_a_sentence_is_no_heading(line: str) -> None:
    text = f"Words before.\n\n{line}\n\nX"
    assert Outline(Scan(text), "").at(len(text) - 1) == ""


@pytest.mark.parametrize(
    ("title", "topic"),
    [
        ("Malicious domains", "indicators"),
        ("Phishing sites", "indicators"),
        ("C2 infrastructure", "infrastructure"),
        ("IP addresses and domains", "infrastructure"),
        ("Compromised websites", "infrastructure"),
        ("About the author", "references"),
        ("Related posts", "references"),
        ("How we protect you", "advice"),
        ("Affected versions", "advice"),
        ("The second stage", ""),
        ("Network intrusions in May", ""),
    ],
)
def test_titles(title: str, topic: str) -> None:
    text = f"{title}\n\nX"
    found = Outline(Scan(text), f"<h2>{title}</h2><p>X</p>").at(len(text) - 1)
    assert found.partition(":")[0] == topic


def test_a_label_ends_with_the_next_heading() -> None:
    text = "IOCs\n\nA\n\nMethod\n\nB"
    outline = Outline(Scan(text), "<h2>Method</h2>")
    assert outline.at(text.index("A")) == "indicators:IOCs"
    assert outline.at(text.index("B")) == ""


def test_servers_in_a_section_of_indicators_are_listed_as_such() -> None:
    html = (
        "<h2>Network indicators</h2><h3>C&amp;C servers</h3><p>here</p><h2>C&amp;C</h2><p>there</p>"
    )
    text = "Network indicators\nC&C servers\nhere\nC&C\nthere"
    outline = Outline(Scan(text), html)
    assert outline.at(text.index("here")) == "indicators:C&C servers"
    assert outline.at(text.index("there")) == "infrastructure:C&C"
