"""The reference pages agree with the program: nothing undocumented, nothing made up."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import msgspec
import pytest
import yaml

import make_operations as made
from ctiscraper.cli.commands import COMMANDS
from ctiscraper.cli.exits import Exit
from ctiscraper.collect.catalog import load_catalog
from ctiscraper.collect.schedule import TIER_BOUNDS
from ctiscraper.config import PREFIX, Settings
from ctiscraper.emf import MetricPlace, metric_documents
from ctiscraper.errors import Reason
from ctiscraper.operations import HostState
from ctiscraper.packs.registry import KNOWN
from ctiscraper.reasons import words_of
from ctiscraper.tasks.bell import BellState
from ctiscraper.types import SourceSettings, Tier
from ctiscraper.web.metrics import MetricFamilies
from make import NOW

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_reason_is_explained_as_the_program_explains_it() -> None:
    written = [line for line in read("reference/reasons.md").splitlines() if line[:3] == "| `"]
    said = {reason: words_of(reason) for reason in Reason}

    assert sorted(written) == sorted(
        f"| `{reason}` | {words.cause} | {words.advice} |"
        for reason, words in said.items()
        if words is not None
    )


def test_every_setting_is_described_as_the_program_describes_it() -> None:
    page = read("reference/settings.md")
    table = [row for line in page.splitlines() if len(row := line.split("|")) == 5]
    rows = {row[1]: row[3] for row in table if row[1].startswith(" `")}
    assert sum(row[1].startswith(" `") for row in table) == len(rows)

    for name, field in Settings.model_fields.items():
        choices = getattr(field.validation_alias, "choices", None)
        variable = choices[0] if choices else PREFIX + name.upper()
        assert rows[f" `{variable}` "].strip() == field.description
    assert len(rows) == len(Settings.model_fields)


_SAY = {"debug", "info", "warning", "error", "exception", "critical"}


def _events() -> set[str]:
    """Return the fixed words by which the program's own log lines are told apart."""
    called = [
        node
        for file in (ROOT / "src" / "ctiscraper").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _SAY
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"log", "_log"}
    ]
    first = [one.args[0] for one in called if one.args]
    return {
        word.value
        for one in first
        for word in ast.walk(one)
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    }


def test_every_event_of_the_log_is_described() -> None:
    rows = [line for line in read("reference/logs.md").splitlines() if line[:3] == "| `"]
    described = {name for row in rows for name in re.findall(r"`([\w.]+)`", row.split("|")[1])}

    assert len(_events()) > 80
    assert _events() - described == set()


def test_every_setting_of_a_source_is_in_the_catalogue_format() -> None:
    described = re.findall(r"^\| `(\w+)` \|", read("reference/catalogue.md"), flags=re.MULTILINE)

    assert {field.name for field in fields(SourceSettings)} <= set(described)


@pytest.mark.parametrize("tier", Tier)
def test_the_bounds_of_a_tier_are_as_documented(tier: Tier) -> None:
    bounds = TIER_BOUNDS[tier]
    row = next(
        line
        for line in read("reference/catalogue.md").splitlines()
        if line.startswith(f"| `{tier}` |")
    )
    units = {"minutes": 60, "hours": 3600}
    said = [int(n) * units[unit] for n, unit in re.findall(r"(\d+) (minutes|hours)", row)]

    assert said == [bounds.least, bounds.default, bounds.most]


@pytest.mark.parametrize("name", ["reference/catalogue.md", "howto/add-a-source.md"])
def test_catalogues_in_the_documents_can_be_loaded(name: str) -> None:
    examples = re.findall(r"```yaml\n(sources:.*?)```", read(name), flags=re.DOTALL)

    assert examples
    for example in examples:
        assert load_catalog(example, name=name)


def test_every_page_stands_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"[\w/-]+\.md", text))

    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert yaml.safe_load(text)["theme"]["font"] is False


def test_links_of_the_front_documents_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#]+)", text):
            assert target.startswith("https://") or (ROOT / target).exists(), (name, target)


def test_every_exit_code_and_command_is_documented() -> None:
    codes = re.findall(r"^\| (\d+) \|", read("reference/exit-codes.md"), flags=re.MULTILINE)
    commands = set(re.findall(r"^\| `([\w-]+)", read("reference/cli.md"), flags=re.MULTILINE))

    assert [int(code) for code in codes] == [code.value for code in Exit]
    assert set(COMMANDS) <= commands


def test_every_data_pack_is_described() -> None:
    described = re.findall(r"^\| `(\w+)` \|", read("reference/data-packs.md"), flags=re.MULTILINE)

    assert set(KNOWN) <= set(described)


def test_every_metric_is_described_as_the_program_describes_it() -> None:
    rest = HostState(host="acme.example", seconds=1.0, reason="dns", robots_delay=3.0)
    work = made.work(workers=(made.worker(),), hosts=made.hosts(rests=(rest,)))
    bell = BellState(configured=True, reachable=True)
    page = read("reference/metrics.md")
    written = {line for line in page.splitlines() if line.startswith("| `")}
    said = {
        f"| `{family.name}{'_total' if family.type == 'counter' else ''}` | {family.type} | "
        f"{', '.join(f'`{name}`' for name in labels)} | {family.documentation} |"
        for family in MetricFamilies(made.database(), work, bell).collect()
        for labels in [list(family.samples[0].labels) if family.samples else ["host"]]
    }
    prometheus = {line for line in written if line.startswith("| `ctiscraper_")}
    assert prometheus == said


def test_every_metric_of_cloudwatch_is_described() -> None:
    seen = made.operations(workers=(made.worker(),))
    place = MetricPlace(namespace="CTIScraper", environment="test")
    lines = [msgspec.to_builtins(line) for line in metric_documents(seen, place, NOW)]
    published = {
        (metric["Name"], metric["Unit"])
        for line in lines
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    rows = re.findall(r"^\| `([A-Z]\w+)` \| (\w+) \|", read("reference/metrics.md"), re.MULTILINE)
    assert sorted(rows) == sorted(published)
