"""Near-duplicates: linked to the first, once for each text, also when stored at once."""

import pytest
from structlog.testing import capture_logs

import make
from ctiscraper.db import outbox
from ctiscraper.db.outbox import Resting
from ctiscraper.errors import StorageError
from ctiscraper.types import Fingerprint
from db.failing import fail_at
from db.stage import Stage

URL = "https://acme.example/a/"


def alike(one: Fingerprint, other: Fingerprint) -> float | None:
    return 0.9 if set(one.bands) & set(other.bands) else None


def never(_one: Fingerprint, _other: Fingerprint) -> float | None:
    return None


async def _store(stage: Stage, name: str, bands: tuple[int, ...]) -> int:
    url = f"{URL}{name}"
    await stage.announce([make.announced(url)])
    content = make.content(url, name, fingerprint=make.mark(name, bands))
    kept = await stage.keep(await stage.claim(), content)
    assert kept is not None
    return kept.article_id


async def test_a_copy_is_linked_to_what_it_repeats_and_both_are_kept(stage: Stage) -> None:
    first = await _store(stage, "first", (1, 2))
    other = await _store(stage, "other", (8, 9))
    copy = await _store(stage, "copy", (2, 3))
    assert await stage.links.link_next(alike) == 3
    rows = await stage.rows("SELECT id, duplicate_of FROM article ORDER BY id")
    assert rows == [(first, None), (other, None), (copy, first)]
    accounting = await stage.accounting()
    assert (accounting.stored, accounting.duplicate) == (2, 1)


async def test_of_two_copies_whose_transactions_ended_the_other_way_round_one_is_linked(
    stage: Stage,
) -> None:
    """Numbers are given before transactions end: the higher may be compared without the lower."""
    late = await _store(stage, "late", (1, 2))
    await stage.run("CREATE TABLE mark_aside AS SELECT * FROM article_fingerprint")
    await stage.run("CREATE TABLE outbox_aside AS SELECT * FROM outbox")
    await stage.run("DELETE FROM article_fingerprint")
    await stage.run("DELETE FROM outbox")
    early = await _store(stage, "early", (2, 3))
    assert late < early
    assert await stage.links.link_next(alike) == 1
    await stage.run("INSERT INTO article_fingerprint SELECT * FROM mark_aside")
    await stage.run("INSERT INTO outbox OVERRIDING SYSTEM VALUE SELECT * FROM outbox_aside")
    assert await stage.links.link_next(alike) == 1
    rows = await stage.rows("SELECT id, duplicate_of FROM article ORDER BY id")
    assert rows == [(late, early), (early, None)]
    # Compared again, neither comes to repeat itself.
    again = "INSERT INTO outbox (topic, article_id, revision) SELECT 'article', id, 1 FROM article"
    for ids in (f"{early}", f"{late}", f"{late}, {early}"):
        await stage.run(f"{again} WHERE id IN ({ids})")
        await stage.links.link_next(alike)
        repeats = await stage.rows("SELECT id, duplicate_of FROM article ORDER BY id")
        assert sum(root is not None for _, root in repeats) == 1
        assert all(one != root for one, root in repeats)


async def test_one_text_that_the_database_fails_at_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, bad, copy = [await _store(stage, name, (1,)) for name in ("first", "bad", "copy")]
    await fail_at(stage, "analysis", bad)
    assert await stage.links.link_next(alike) == 2
    assert await stage.value(f"SELECT duplicate_of FROM article WHERE id = {copy}") == first
    assert await stage.rows("SELECT article_id FROM outbox WHERE topic = 'article'") == [(bad,)]
    # For a minute it is not tried again, and then for as long as it takes.
    with capture_logs() as logs:
        assert await stage.links.link_next(alike) == 0
    assert logs == []
    stage.links._turns.resting = Resting()
    monkeypatch.setattr(outbox, "REST_SECONDS", 0.0)
    # What comes meanwhile is before it, and it has its turn once it can be written.
    later = await _store(stage, "later", (1,))
    assert await stage.links.link_next(alike) == 1
    await stage.run("DROP TRIGGER fails ON analysis")
    assert await stage.links.link_next(alike) == 1
    rows = await stage.rows("SELECT id FROM article WHERE duplicate_of = 1 ORDER BY id")
    assert rows == [(bad,), (copy,), (later,)]


async def test_copies_that_are_revised_at_once_keep_one_root_among_them(stage: Stage) -> None:
    """None repeats itself, or one that repeats another, whatever was linked before."""
    numbers = [await _store(stage, f"n{n}", (n,)) for n in range(5)]
    await stage.links.link_next(never)
    await stage.run("UPDATE article_fingerprint SET bands = '{7}'")
    for before in ("NULL", "CASE WHEN id IN (1, 3) THEN id + 1 END", "CASE WHEN id < 5 THEN 5 END"):
        await stage.run(f"UPDATE article SET duplicate_of = {before}")
        await stage.run(
            "INSERT INTO outbox (topic, article_id, revision) SELECT 'article', id, 1 FROM article"
        )
        assert await stage.links.link_next(alike) == len(numbers)
        linked = await stage.rows("SELECT id, duplicate_of FROM article ORDER BY id")
        [root] = [one for one, other in linked if other is None]
        assert linked == [(one, None if one == root else root) for one in numbers]


async def test_a_database_that_fails_at_everything_is_told(stage: Stage) -> None:
    for name in ("one", "two", "three"):
        await _store(stage, name, (1,))
    await stage.run("ALTER TABLE analysis RENAME TO away")
    with pytest.raises(StorageError):
        await stage.links.link_next(alike)
    await stage.run("ALTER TABLE away RENAME TO analysis")
    assert await stage.links.link_next(alike) == 3


async def test_copies_of_copies_share_one_root(stage: Stage) -> None:
    first = await _store(stage, "first", (1, 2))
    await _store(stage, "second", (2, 3))
    await _store(stage, "third", (3, 4))
    await stage.links.link_next(alike)
    rows = await stage.rows("SELECT DISTINCT duplicate_of FROM article WHERE id > 1")
    assert rows == [(first,)]


async def test_each_text_is_compared_once(stage: Stage) -> None:
    await _store(stage, "first", (1,))
    assert await stage.links.link_next(alike) == 1
    assert await stage.links.link_next(alike) == 0
    assert await stage.value("SELECT count(*) FROM analysis") == 1


async def test_comparing_a_text_twice_leaves_one_record(stage: Stage) -> None:
    number = await _store(stage, "first", (1,))
    await stage.links.link_next(alike)
    await stage.run(
        f"INSERT INTO outbox (topic, article_id, revision) VALUES ('article', {number}, 1)"
    )
    assert await stage.links.link_next(alike) == 1
    assert await stage.value("SELECT count(*) FROM analysis") == 1


async def test_candidates_that_do_not_hold_up_are_not_linked(stage: Stage) -> None:
    await _store(stage, "first", (1,))
    await _store(stage, "second", (1,))
    await stage.links.link_next(never)
    assert await stage.value("SELECT count(*) FROM article WHERE duplicate_of IS NULL") == 2


async def test_an_edit_that_ends_the_likeness_ends_the_link(stage: Stage) -> None:
    await _store(stage, "first", (1,))
    copy = await _store(stage, "second", (1,))
    await stage.links.link_next(alike)
    assert await stage.value("SELECT count(*) FROM article WHERE duplicate_of IS NULL") == 1
    await stage.run(f"UPDATE fetch_job SET state = 'pending' WHERE article_id = {copy}")
    edited = make.content(f"{URL}second", "all new", fingerprint=make.mark("all new", (7,)))
    await stage.keep(await stage.claim(), edited)
    await stage.links.link_next(alike)
    assert await stage.value("SELECT count(*) FROM article WHERE duplicate_of IS NULL") == 2


async def test_fingerprints_of_two_versions_are_never_compared(stage: Stage) -> None:
    await _store(stage, "first", (1,))
    await stage.run("UPDATE article_fingerprint SET version = 99")
    await _store(stage, "second", (1,))
    await stage.links.link_next(alike)
    assert await stage.value("SELECT count(*) FROM article WHERE duplicate_of IS NULL") == 2


async def test_what_is_compared_are_the_stored_fingerprints(stage: Stage) -> None:
    seen: list[tuple[Fingerprint, Fingerprint]] = []

    def watch(one: Fingerprint, other: Fingerprint) -> float | None:
        seen.append((one, other))
        return None

    await _store(stage, "first", (1,))
    await _store(stage, "second", (1,))
    await stage.links.link_next(watch)
    assert seen == [(make.mark("second", (1,)), make.mark("first", (1,)))]


async def test_copies_stored_in_one_batch_share_one_root(stage: Stage) -> None:
    numbers = [await _store(stage, f"copy {n}", (n, n + 1)) for n in range(12)]
    await stage.links.link_next(alike, limit=5)
    await stage.links.link_next(alike, limit=50)
    rows = await stage.rows("SELECT id, duplicate_of FROM article ORDER BY id")
    assert rows == [(numbers[0], None)] + [(n, numbers[0]) for n in numbers[1:]]


async def test_an_article_that_becomes_a_copy_or_none_any_more_is_scored_anew(stage: Stage) -> None:
    first = await _store(stage, "first", (1, 2))
    copy = await _store(stage, "copy", (2, 3))
    await stage.links.link_next(never)
    await stage.run(
        f"""
        INSERT INTO article_score (article_id, score, parts, version)
        VALUES ({first}, 0.5, '[]', '1'), ({copy}, 0.5, '[]', '1')
        """
    )
    again = f"INSERT INTO outbox (topic, article_id, revision) VALUES ('article', {copy}, 1)"
    stale = "SELECT article_id FROM article_score WHERE stale_at <= now()"
    for similarity in (alike, never):
        await stage.run(again)
        await stage.links.link_next(similarity)
        assert await stage.rows(stale) == [(copy,)]
        await stage.run("UPDATE article_score SET stale_at = NULL")
    await stage.run(again)
    await stage.links.link_next(never)
    assert await stage.rows(stale) == []
