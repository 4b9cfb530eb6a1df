"""Storing: once, every text it ever had, and the same text under two addresses."""

import make
from ctiscraper.types import ArticleContent
from db.stage import Stage

URL = "https://acme.example/a/1"


async def _store(stage: Stage, url: str, text: str, **changes: object) -> int:
    await stage.announce([make.announced(url)])
    kept = await stage.keep(
        await stage.claim(), make.content(url, text, **changes), stage.snapshot(text)
    )
    assert kept is not None
    return kept.article_id


async def _again(stage: Stage, content: ArticleContent) -> None:
    await stage.run("UPDATE fetch_job SET state = 'pending', run_after = now()")
    assert await stage.keep(await stage.claim(), content, stage.snapshot(content.text))


async def test_a_new_article_brings_all_that_follows_from_it(stage: Stage) -> None:
    number = await _store(stage, URL, "one two three")
    assert await stage.rows("SELECT article_id, revision, topic FROM outbox") == [
        (number, 1, "article")
    ]
    assert await stage.value("SELECT count(*) FROM article_fingerprint") == 1
    assert await stage.value("SELECT count(*) FROM snapshot") == 1
    accounting = await stage.accounting()
    assert (accounting.discovered, accounting.stored) == (1, 1)


async def test_a_changed_article_keeps_its_old_text(stage: Stage) -> None:
    number = await _store(stage, URL, "first")
    await _again(stage, make.content(URL, "second", title="New title"))
    assert await stage.rows("SELECT id, text, title, revision FROM article") == [
        (number, "second", "New title", 2)
    ]
    assert await stage.rows("SELECT number, text, title, cause FROM article_revision") == [
        (1, "first", "A title", "edited")
    ]
    assert await stage.value("SELECT count(*) FROM outbox") == 2


async def test_an_unchanged_article_is_not_written(stage: Stage) -> None:
    await _store(stage, URL, "first")
    before = await stage.value("SELECT xmin::text FROM article")
    await _again(stage, make.content(URL, "first"))
    assert await stage.value("SELECT xmin::text FROM article") == before
    assert await stage.value("SELECT count(*) FROM article_revision") == 0
    assert await stage.value("SELECT count(*) FROM snapshot") == 1


async def test_two_announced_addresses_that_lead_to_one_page_are_one_article(
    stage: Stage,
) -> None:
    await _store(stage, URL, "text")
    await stage.announce([make.announced("https://acme.example/go?to=1")])
    kept = await stage.keep(await stage.claim(), make.content(URL, "text"))
    assert kept is not None
    assert not kept.created
    assert await stage.value("SELECT count(*) FROM article") == 1
    accounting = await stage.accounting()
    assert (accounting.discovered, accounting.stored, accounting.duplicate) == (2, 1, 1)


async def test_the_second_look_of_an_alias_stays_a_duplicate(stage: Stage) -> None:
    await test_two_announced_addresses_that_lead_to_one_page_are_one_article(stage)
    await stage.run("UPDATE fetch_job SET state = 'pending' WHERE state = 'duplicate'")
    await stage.keep(await stage.claim(), make.content(URL, "text"))
    assert (await stage.accounting()).duplicate == 1


async def test_a_second_look_that_brings_nothing_leaves_the_article(stage: Stage) -> None:
    await _store(stage, URL, "text")
    await stage.run("UPDATE fetch_job SET state = 'pending'")
    assert await stage.store.keep_as_it_is(await stage.claim())
    assert await stage.rows("SELECT text, revision FROM article") == [("text", 1)]


async def test_a_future_date_sorts_no_later_than_now(stage: Stage) -> None:
    await _store(stage, URL, "text", published=make.NOW.replace(year=2099))
    assert await stage.value("SELECT sort_at <= now() FROM article")


async def test_a_title_and_text_at_their_bounds_are_stored(stage: Stage) -> None:
    word = " ".join(f"word{n}" for n in range(200_000))
    await _store(stage, URL, word, title="T" * 100_000)
    assert await stage.value("SELECT length(text) FROM article") == len(word)
    assert await stage.value("SELECT search @@ to_tsquery('english', 'word77') FROM article")


async def test_the_densest_text_still_fits_the_search_index(stage: Stage) -> None:
    letters = [chr(0x4E00 + n) for n in range(300)]
    words = " ".join(a + b + c for a in letters for b in letters[:60] for c in letters[:20])
    await _store(stage, URL, words[:1_000_000])
    assert await stage.value("SELECT search <> '' FROM article")


async def test_names_with_an_ending_are_found_by_their_stem(stage: Stage) -> None:
    await _store(stage, URL, "It runs powershell.exe and asks evil[.]example for more.")
    for word in ("powershell", "powershell.exe", "evil.example"):
        found = f"SELECT search @@ websearch_to_tsquery('english', '{word}') FROM article"
        assert await stage.value(found), word


async def test_a_snapshot_of_a_lost_lease_is_not_written(stage: Stage) -> None:
    await stage.announce([make.announced(URL)])
    job = await stage.claim()
    await stage.queue.retire(stage.worker)
    assert await stage.store.keep_snapshot(job, stage.snapshot("a page")) is None
    assert await stage.value("SELECT count(*) FROM snapshot") == 0
