"""`retention`: what would go, what went, and articles that cannot be read again."""

import os
from pathlib import Path

import psycopg

from cli.terminal import Background, Terminal, catalogue_of, environment
from internet.world import FakeInternet


def test_old_pages_go_and_are_not_promised_to_be_read_again(database: str, tmp_path: Path) -> None:
    with Background(FakeInternet(hosts=1, items=3)) as net:
        settings = environment(database, tmp_path, net) | {"CTISCRAPER_KEEP_RAW_DAYS": "standard=5"}
        terminal = Terminal(settings)
        terminal.run("sources", "import", catalogue_of(net, tmp_path))
        terminal.run("collect", "--once")
        nothing = terminal.run("retention", "--json").json
        assert (nothing["snapshots"], nothing["bodies"], nothing["done"]) == (0, 0, True)
        with psycopg.connect(database) as connection:
            connection.execute("UPDATE snapshot SET fetched_at = now() - interval '6 days'")
        for path in (tmp_path / "raw").rglob("*.zst"):
            os.utime(path, (0, 0))

        assert terminal.run("retention", "--dry-run", "--json").json["snapshots"] == 3
        assert "3 pages would go" in terminal.run("retention", "--dry-run").out
        assert "3 pages and 3 raw bodies" in terminal.run("retention").out
        assert terminal.run("accounting", "--json").json["total"]["stored"] == 3

        net.requests.clear()
        said = terminal.run("reprocess", "--all").out
        assert "0 items queued to be read again" in said
        assert "3 articles cannot be read again: no page was fetched, or it is no longer" in said
        terminal.run("collect", "--once")
        assert net.requests == []
        assert terminal.noted() == [
            *("source.import", "retention.run", "retention.run", "article.reprocess"),
        ]


def test_a_wrong_setting_is_named(database: str, tmp_path: Path) -> None:
    settings = environment(database, tmp_path) | {"CTISCRAPER_KEEP_CHECKS_DAYS": "gold=5"}
    said = Terminal(settings).run("retention", code=3).err
    assert "CTISCRAPER_KEEP_CHECKS_DAYS" in said
    assert "'gold' is no tier: premium, standard, basic" in said
