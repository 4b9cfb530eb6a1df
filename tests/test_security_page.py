"""What the page about security says is what the program does: figures, keys, and who is asked."""

import inspect
import re
from pathlib import Path
from urllib.parse import urlsplit

from ctiscraper.access import passwords
from ctiscraper.access.one_time import SECRET_BYTES
from ctiscraper.access.places import key_place
from ctiscraper.accounts import LINK_MINUTES, SETUP_MINUTES
from ctiscraper.admission import SUDO_MINUTES
from ctiscraper.collect.fetch import FEED_LIMITS, PAGE_LIMITS
from ctiscraper.config import PREFIX, Settings
from ctiscraper.db import article_filters, finding, principals, session
from ctiscraper.db.session import Database
from ctiscraper.packs import cve, upstream
from ctiscraper.packs.pack import MOST_BYTES, MOST_UNPACKED
from ctiscraper.sandbox import Sandbox
from ctiscraper.web import app, asked, live, security, token_rate
from ctiscraper.web.access_schemas import DEFAULT_DAYS
from ctiscraper.web.connections import Limits
from ctiscraper.web.pages import feeds

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text("utf-8")
# A setting with a secret in it, or in the file that it names.
SECRET = re.compile(r"password_file|secret_key_file|client_secret_file|model_key_file|tls_key")
SECRET_TOO = {"s3_kms_key", "bootstrap_admin_file"}
PUBLISHERS = {
    "raw.githubusercontent.com": "MITRE",
    "github.com": "MISP",
    "www.cisa.gov": "CISA",
    "epss.empiricalsecurity.com": "FIRST",
    "nvd.nist.gov": "NIST",
}


def chapter(name: str) -> str:
    """The text below a heading."""
    return PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def row(name: str, first: str) -> str:
    """The rest of the row of a table that begins so."""
    [found] = [line for line in chapter(name).splitlines() if line.startswith(f"| {first}")]
    return found.removeprefix(f"| {first}")


def default(call: object, name: str) -> object:
    """What a parameter is when it is not given."""
    assert callable(call)
    return inspect.signature(call).parameters[name].default


def test_what_bounds_what_costs_much_is_as_the_code_has_it() -> None:
    docker = (ROOT / "Dockerfile").read_text("utf-8")
    said = {
        "logins": ("two hashes at a time", passwords.AT_ONCE == 2),
        "searches": (
            "0.3 s of looking for one answer, then where it came to; 2 s for a question",
            (finding.WALK_SECONDS, article_filters.SEARCH_SECONDS) == (0.3, 2.0),
        ),
        "questions": ("12 a minute", asked.QUESTIONS_A_MINUTE == 12),
        "tokens": ("600 requests a minute", token_rate.MOST == 600),
        "feeds": ("60 requests a minute; 100 articles", (feeds.A_MINUTE, feeds.MOST) == (60, 100)),
        "requests": (
            "50 a second and 100 at a time for an address (Nginx); 2,000 connections and 500",
            "NGINX_RATE=50r/s" in docker
            and "NGINX_CONNECTIONS=100" in docker
            and default(Limits, "most") == 2_000
            and default(Limits, "at_work") == 500,
        ),
        "checks by hand": ("ten a minute", app.RECHECKS_A_MINUTE == 10),
        "parsing": (
            "1 GB, 5 s",
            default(Sandbox, "memory_bytes") == 1 << 30 and default(Sandbox, "seconds") == 5.0,
        ),
        "listening": (
            "six streams for each reader, 200 in all",
            (live.LISTENERS_OF_ONE, live.LISTENERS_MOST) == (6, 200),
        ),
    }
    for first, (words, is_so) in said.items():
        assert words in row("What costs much", first), first
        assert is_so, first
    assert "30 s for any other statement; 200 entries a page" in row("What costs much", "searches")
    assert default(Database, "statement_seconds") == 30.0


def test_connections_are_bound_as_the_code_binds_them() -> None:
    assert "five redirects, 15 MB a feed and 10 MB a page, 30 s each" in row(
        "Connections", "sources"
    )
    for limits, most in ((FEED_LIMITS, 15_000_000), (PAGE_LIMITS, 10_000_000)):
        assert (limits.max_redirects, limits.max_bytes, limits.seconds) == (5, most, 30.0)
    assert "5 s to connect, 10 s for a place in the pool, 30 s a statement" in row(
        "Connections", "PostgreSQL"
    )
    assert session._PATIENCE["connect_timeout"] == 5
    assert "timeout=10.0" in inspect.getsource(Database)


def test_sessions_end_when_the_page_says() -> None:
    assert "after eight hours of silence and twelve in all" in chapter("Sessions")
    assert (principals.IDLE, principals.ABSOLUTE) == ("8 hours", "12 hours")
    assert "asks again after ten minutes who it is" in chapter("Sessions")
    assert SUDO_MINUTES == 10


def test_links_and_the_first_start_end_when_the_page_says() -> None:
    assert "128 bits, once, within a day" in row("Ways in", "link")
    assert "128 bits from the terminal, once, within 30 minutes" in row("Ways in", "first start")
    assert (LINK_MINUTES, SETUP_MINUTES, SECRET_BYTES * 8) == (24 * 60, 30, 128)


def test_how_large_a_file_may_be_is_as_the_code_has_it() -> None:
    assert "20 MB" in row("What is taken", "of sources")
    assert security.IMPORT_MOST == 20_000_000
    assert "1 MB" in row("What is taken", "of the watchlist")
    assert security.BODY_MOST == 1_000_000
    assert "8 MB" in row("What is taken", "values to look up")
    assert security.LOOKUP_MOST == 8_000_000
    assert "128 MB, 256 MB unpacked" in row("What is taken", "packs, archives")
    assert (MOST_BYTES, MOST_UNPACKED) == (128 << 20, 256 << 20)


def test_a_token_ends_when_the_page_says() -> None:
    assert DEFAULT_DAYS == 90
    assert "ends after 90 days" in row("Ways in", "token")


def test_words_of_this_context_are_as_many_as_the_page_says() -> None:
    words = set(passwords._STOCK.split())
    named = set(re.findall(r"`(\w+)`", chapter("Ways in").partition("these words")[2])) & words
    assert named == {"cti", "ctiscraper", "scraper", "analyst", "hunter", "security", "admin"}
    assert f"the {len(words) - len(named)} others" in chapter("Ways in")


def test_every_key_has_its_row() -> None:
    secret = {name for name in Settings.model_fields if SECRET.search(name)} | SECRET_TOO
    assert len(secret) > 6
    assert secret <= set(Settings.model_fields)
    keys = chapter("Keys")
    assert {name for name in secret if f"`{PREFIX}{name.upper()}`" not in keys} == set()


def test_whoever_is_asked_for_reference_data_is_named() -> None:
    addresses = [one for names in upstream._URLS.values() for one in names]
    addresses += [upstream._KEV_URL, upstream._EPSS_URL, upstream._NVD_URL]
    assert cve.NAME not in upstream._URLS
    hosts = {urlsplit(one).hostname for one in addresses}
    assert hosts == set(PUBLISHERS)
    said = row("Connections", "publishers of reference data")
    for publisher in (*PUBLISHERS.values(), "SigmaHQ"):
        assert publisher in said or publisher in chapter("Connections"), publisher
    assert key_place(
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/x/0123456789abcdef"
    ).startswith("https://")
