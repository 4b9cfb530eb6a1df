"""How drafts stand to the rules that are known, with their text and with titles alone."""

from ctiscraper.detect.drafted import Grade, Rule
from ctiscraper.detect.novelty import Library
from ctiscraper.packs.sigma import SigmaPack, SigmaRule

BODY = r"""
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|endswith: '\nltest.exe'
        CommandLine|contains:
            - '/domain_trusts'
            - '/all_trusts'
"""
DRAFT = Rule(
    title="Execution of nltest With /domain_trusts",
    category="process_creation",
    techniques=("T1482",),
    atoms=("\\nltest.exe", "/domain_trusts"),
)


def known(**changes: object) -> SigmaRule:
    values: dict[str, object] = {
        "id": "one",
        "title": "Domain Trust Discovery Via Nltest",
        "author": "An Author",
        "level": "medium",
        "file": "one.yml",
        "techniques": ("T1482",),
    }
    return SigmaRule(**{**values, **changes})  # type: ignore[arg-type]  # a builder


def library(*rules: SigmaRule) -> Library:
    return Library(SigmaPack(rules=rules), name="SigmaHQ 2026", notice="DRL 1.1")


def test_a_rule_that_looks_for_all_of_it_covers_a_draft_and_is_named_with_its_author() -> None:
    found = library(known(body=BODY), known(id="two", body="other")).compare(DRAFT)
    assert (found.grade, found.basis, found.pack) == (Grade.COVERED, "values", "SigmaHQ 2026")
    assert found.notice == "DRL 1.1"
    [near] = found.nearest
    assert (near.id, near.author) == ("one", "An Author")
    assert near.shared == ("\\nltest.exe", "/domain_trusts")


def test_a_rule_with_half_of_it_is_extended_and_of_another_log_is_not_near() -> None:
    half = BODY.replace("/domain_trusts", "/dclist")
    assert library(known(body=half)).compare(DRAFT).grade is Grade.EXTENDS
    other = BODY.replace("process_creation", "dns_query")
    found = library(known(body=other)).compare(DRAFT)
    assert (found.grade, found.nearest, found.notice) == (Grade.NEW, (), "")


def test_with_titles_alone_nothing_is_covered() -> None:
    found = library(known()).compare(DRAFT)
    assert (found.grade, found.basis) == (Grade.EXTENDS, "titles")
    assert found.nearest[0].shared == ("nltest", "T1482")
    assert library(known(techniques=())).compare(DRAFT).grade is Grade.NEW
    assert library(known(title="Another Thing")).compare(DRAFT).grade is Grade.NEW
    assert library().compare(DRAFT).grade is Grade.NEW
