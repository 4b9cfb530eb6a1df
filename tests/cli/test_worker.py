"""Whoever starts workers says first what would keep every one of them from working."""

from pathlib import Path

import pytest

from cli.terminal import Terminal
from ctiscraper.cli.exits import Exit


@pytest.mark.parametrize("command", [("worker",), ("collect", "--once"), ("stack",)])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"CTISCRAPER_MODEL_TASKS": "no-such"},
            "CTISCRAPER_MODEL_TASKS: 'no-such' is no task",
        ),
        ({"CTISCRAPER_PROXY": "foo"}, "CTISCRAPER_PROXY: not a URL"),
        ({"CTISCRAPER_CA_BUNDLE": "/nowhere.pem"}, "CTISCRAPER_CA_BUNDLE: /nowhere.pem cannot"),
        ({"CTISCRAPER_RAW_STORE": "s3://bucket", "AWS_PROFILE": "nobodys"}, "no S3 client can"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "foo"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no http://"),
    ],
)
def test_a_setting_that_no_worker_can_work_with_is_told_before_anything_starts(
    tmp_path: Path, command: tuple[str, ...], wrong: dict[str, str], said: str
) -> None:
    model = {"CTISCRAPER_MODEL_URL": "http://127.0.0.1:1", "CTISCRAPER_MODEL": "any:1b"}
    # Whoever comes as far as the database ends there.
    no_database = {"CTISCRAPER_PG_BIN": "/nowhere"}
    terminal = Terminal({"CTISCRAPER_DATA_DIR": str(tmp_path), **no_database, **model, **wrong})
    ended = terminal.run(*command, code=Exit.SETTINGS)
    assert said in ended.err
    assert list(tmp_path.iterdir()) == []
