import re
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctiscraper.collect.robots import MAX_BYTES, RobotsRules, may_fetch, to_text

SITE = "https://site.test"


def allowed(robots: str | bytes, path: str, agent: str = "ExampleBot") -> bool:
    return may_fetch(robots, agent, SITE + path)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/", "/", True),
        ("/", "/anything?at=all", True),
        ("/blog", "/blog", True),
        ("/blog", "/blogs/1", True),
        ("/blog", "/Blog", False),
        ("/blog/", "/blog", False),
        ("/blog$", "/blog", True),
        ("/blog$", "/blog/", False),
        ("/*.pdf", "/a/b.pdf?x", True),
        ("/*.pdf$", "/a/b.pdf", True),
        ("/*.pdf$", "/a/b.pdf?x", False),
        ("/a*b*c$", "/abxbc", True),
        ("/a*bc$", "/abc", True),
        ("/a*bc$", "/abcbd", False),
        ("/ab*b$", "/ab", False),
        ("/*/private", "/x/private/y", True),
        ("*", "/x", True),
        ("*.php", "/x.php", True),
        ("blog", "/blog", True),
        ("/a**b", "/a/b", True),
        ("/a*$", "/abc", True),
        ("/search?q=", "/search?q=1", True),
        ("/search?q=", "/search?p=1&q=1", False),
        ("/caf%C3%A9", "/café", True),
        ("/café", "/caf%c3%a9", True),
        ("/%7Ejoe", "/~joe", True),
        ("/~joe", "/%7ejoe", True),
        ("/a%2fb", "/a/b", False),
        ("/a%2fb", "/a%2Fb", True),
        ("/a<b", "/a%3Cb", True),
        ("/a%2Ab", "/a*b", True),
        ("/a%2Ab", "/axb", False),
        ("/a%24", "/a$", True),
        ("/a$b", "/a%24b", True),
        ("/100%", "/100%", True),
    ],
)
def test_pattern_matches_as_rfc_9309_says(pattern: str, path: str, matches: bool) -> None:
    assert allowed(f"User-agent: *\nDisallow: {pattern}", path) is not matches


@pytest.mark.parametrize(
    ("robots", "answer"),
    [
        ("", True),
        ("User-agent: *\nDisallow:", True),
        ("User-agent: *\nDisallow: /", False),
        ("Disallow: /", True),
        ("User-agent: *\nDisallow: /\nAllow: /page", True),
        ("User-agent: *\nAllow: /page\nDisallow: /page", True),
        ("User-agent: *\nDisallow: /page\nAllow: /page", True),
        ("User-agent: *\nAllow: /pa\nDisallow: /page", False),
        ("User-agent: *\nDisallow: /\nUser-agent: ExampleBot\nDisallow: /other", True),
        ("User-agent: ExampleBot\nDisallow: /\nUser-agent: *\nDisallow:", False),
        ("user-AGENT: examplebot/2.1\nDISALLOW: /", False),
        ("User-agent: ExampleBot2\nDisallow: /", False),
        ("User-agent: Example\nDisallow: /", True),
        ("User-agent: ExampleBots\nDisallow: /", True),
        ("User-agent: a\nUser-agent: ExampleBot\nDisallow: /", False),
        ("User-agent: ExampleBot\nUser-agent: a\nDisallow: /", False),
        ("User-agent: ExampleBot\nDisallow: /x\n\nUser-agent: ExampleBot\nDisallow: /page", False),
        ("User-agent: ExampleBot\n\nDisallow: /", False),
        ("User-agent: *\nCrawl-delay: 3\n\nUser-agent: OtherBot\nDisallow: /", True),
        ("User-agent: ExampleBot\nUnknown: x\nUser-agent: a\nDisallow: /", False),
        ("User-agent: ExampleBot\nSitemap: /s.xml\nDisallow: /", False),
        ("User-agent: * # all\nDisallow: / # everything", False),
        ("User-agent : *\r\nDisallow : /\r\n", False),
        ("User-agent: *\rDisallow: /", False),
        ("useragent: *\ndissallow: /", False),
        ("User-agent *\nDisallow /", False),
        ("\ufeffUser-agent: *\nDisallow: /", False),
        (b"\xef\xbb\xbfUser-agent: *\nDisallow: /", False),
        (b"\xef\xbbUser-agent: *\nDisallow: /", False),
        (b"User-agent: *\nDisallow: /p\xe4ge\nDisallow: /page", False),
        ("<html><body>User-agent: none here</body></html>", True),
    ],
)
def test_groups_and_precedence(robots: str | bytes, answer: bool) -> None:
    assert allowed(robots, "/page") is answer


def test_robots_file_itself_is_always_allowed() -> None:
    assert allowed("User-agent: *\nDisallow: /", "/robots.txt")


def test_url_that_cannot_be_read_counts_as_the_root() -> None:
    assert not may_fetch("User-agent: *\nDisallow: /", "ExampleBot", "http://[")


def test_rules_past_500_kib_are_not_read() -> None:
    filler = "# filler\n" * (MAX_BYTES // 9 + 1)

    assert allowed("User-agent: *\n" + filler + "Disallow: /", "/page")
    assert not allowed("User-agent: *\nDisallow: /\n" + filler, "/page")


@pytest.mark.parametrize(
    ("line", "delay"),
    [
        ("Crawl-delay: 10", 10.0),
        ("crawl-delay:0.5", 0.5),
        ("Crawl-delay: 1000000000", 60.0),
        ("Crawl-delay: -5", None),
        ("Crawl-delay: soon", None),
        ("Crawl-delay: NaN", None),
        ("Crawl-delay: 5 seconds", 5.0),
        ("Disallow: /x", None),
    ],
)
def test_crawl_delay_is_read_and_capped(line: str, delay: float | None) -> None:
    assert RobotsRules.parse(f"User-agent: *\n{line}").crawl_delay("ExampleBot") == delay


def test_crawl_delay_is_that_of_the_own_group() -> None:
    rules = RobotsRules.parse(
        "User-agent: *\nCrawl-delay: 30\n\nUser-agent: ExampleBot\nDisallow: /x\nCrawl-delay: 2"
    )

    assert rules.crawl_delay("ExampleBot") == 2
    assert rules.crawl_delay("OtherBot") == 30


def test_sitemaps_are_listed_once_each_in_order() -> None:
    rules = RobotsRules.parse(
        f"Sitemap: {SITE}/b.xml\nUser-agent: *\nDisallow: /\nsitemap:{SITE}/a.xml\n"
        f"Sitemap: {SITE}/b.xml"
    )

    assert rules.sitemaps == (f"{SITE}/b.xml", f"{SITE}/a.xml")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"\xef\xbb\xbfUser-agent: *", "User-agent: *"),
        (b"\xef\xbbDisallow: /\x00", "Disallow: /"),
        (b"Disallow: /\xff", "Disallow: /\ufffd"),
    ],
)
def test_text_can_be_stored(body: bytes, text: str) -> None:
    assert to_text(body) == text


def test_hostile_patterns_take_linear_time() -> None:
    pattern = "/" + "a*" * 1000 + "b"
    robots = "User-agent: *\n" + f"Disallow: {pattern}\n" * 200
    began = time.process_time()
    assert allowed(robots, "/" + "a" * 4000)
    assert time.process_time() - began < 2


def test_huge_file_is_judged_quickly() -> None:
    lines = "".join(f"Disallow: /dir{n}/*/x$\n" for n in range(20_000))
    rules = RobotsRules.parse("User-agent: *\n" + lines)
    began = time.process_time()
    for n in range(10):
        rules.allows("ExampleBot", f"{SITE}/page{n}")
    assert time.process_time() - began < 2


def test_many_agents_with_many_rules_cost_no_more_than_their_lines() -> None:
    half = MAX_BYTES // 2
    same = "User-agent: a\n" * (half // 14) + "Allow: /\n" * (half // 9)
    each = "".join(f"User-agent: a{n}\n" for n in range(15_000)) + "Disallow: /x\n" * 15_000
    tracemalloc.start()
    began = time.process_time()
    for body in (same, each):
        rules = RobotsRules.parse(body)
        assert not rules.allows("a7", "/x") or body is same
        assert rules.allows("a7", "/y")
    spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < 4
    assert peak < 100_000_000


@given(st.one_of(st.text(), st.binary()), st.text())
@example("User-agent: *\nDisallow: /\ud800", "/\udcff")
def test_any_input_gives_an_answer(robots: str | bytes, url: str) -> None:
    rules = RobotsRules.parse(robots)

    assert rules.allows("ExampleBot", url) in {True, False}
    delay = rules.crawl_delay("ExampleBot")
    assert delay is None or 0 <= delay <= 60


@given(st.text("a*b$/%", max_size=12), st.text("ab/", max_size=12))
def test_matcher_agrees_with_a_regular_expression(pattern: str, rest: str) -> None:
    body = pattern.removesuffix("$")
    expected = re.match(
        "/" + re.escape(body).replace(r"\*", ".*") + ("$" if body != pattern else ""), "/" + rest
    )

    assert allowed(f"User-agent: *\nDisallow: /{pattern}", "/" + rest) is (expected is None)


@pytest.mark.shared
def test_shared_cases() -> None:
    scorer = Path(__file__).parents[3] / "shared" / "eval" / "score_robots.py"
    if not scorer.is_file():
        pytest.skip("the evaluation data is not beside the repository")
    function = "ctiscraper.collect.robots:may_fetch"
    command = [sys.executable, str(scorer), "--fn", function, "--path", "src"]
    scored = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    ).stdout
    rfc = re.search(r"rfc9309 (\d+)/(\d+)", scored)
    total = re.search(r"total (\d+)/(\d+)", scored)

    assert rfc
    assert rfc.group(1) == rfc.group(2)
    assert total
    assert int(total.group(1)) >= 670
