"""Entries of the audit log are added, and stay as they were."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import msgspec
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ctiscraper.audit_views import Actor, ActorKind, AuditQuery, Deed
from ctiscraper.db.audit import START, Audit, changes_of, hash_of_entry
from ctiscraper.db.roles import DatabaseRole, Part, give_roles
from ctiscraper.db.session import Database
from ctiscraper.errors import CursorError
from db.stage import Stage

ANN = Actor(kind=ActorKind.USER, name="Ann", user_id=7, ip="192.0.2.7", request_id="a1")
BOT = Actor(kind=ActorKind.TOKEN, name="bot", token_id="k3v9x0q2ab")
REFUSED = (
    "UPDATE audit_entry SET actor_name = 'Bob'",
    "UPDATE audit_entry SET actor_name = 'Bob' WHERE false",
    "DELETE FROM audit_entry WHERE id = 1",
    "TRUNCATE audit_entry",
    "TRUNCATE audit_entry CASCADE",
)


def changed(before: object, after: object) -> Deed:
    return Deed(
        action="source.change",
        object_kind="source",
        object_id="acme",
        before={"tier": before, "name": "Acme"},
        after={"tier": after, "name": "Acme"},
        detail={"reason": "why"},
    )


async def test_an_entry_says_who_did_what_and_what_differs(stage: Stage) -> None:
    audit = Audit(stage.database)
    assert await audit.note(ANN, changed("basic", "premium")) == 1
    [entry] = (await audit.page(AuditQuery())).entries
    assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("user", 7, "Ann")
    assert (entry.action, entry.object_kind, entry.object_id) == (
        *("source.change", "source", "acme"),
    )
    assert (entry.ip, entry.request_id) == ("192.0.2.7", "a1")
    assert msgspec.json.decode(entry.changes) == {"tier": ["basic", "premium"], "reason": "why"}
    assert len(entry.before_hash) == len(entry.after_hash) == 64
    assert entry.before_hash != entry.after_hash
    assert entry.previous_hash == START.hex()
    assert entry.hash == hash_of_entry(entry)


async def test_each_entry_holds_the_hash_of_the_one_before_it(stage: Stage) -> None:
    audit = Audit(stage.database)
    await asyncio.gather(*(audit.note(ANN, changed(n, n + 1)) for n in range(20)))
    entries = (await audit.page(AuditQuery(), limit=200)).entries
    assert [entry.id for entry in entries] == list(range(20, 0, -1))
    for later, earlier in pairwise(entries):
        assert later.previous_hash == earlier.hash
        assert later.at > earlier.at
    report = await audit.verify()
    assert (report.entries, report.broken, report.last_hash) == (20, None, entries[0].hash)


async def test_an_entry_goes_with_the_transaction_it_is_made_in(stage: Stage) -> None:
    audit = Audit(stage.database)

    async def fail() -> None:
        async with stage.database.transaction() as conn:
            await audit.note(ANN, changed(1, 2), conn=conn)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await audit.page(AuditQuery())).entries == ()
    async with stage.database.transaction() as conn:
        await audit.note(ANN, changed(1, 2), conn=conn)
    assert len((await audit.page(AuditQuery())).entries) == 1


@pytest.mark.parametrize("statement", REFUSED)
async def test_nothing_that_stands_can_be_changed_even_by_the_owner(
    stage: Stage, database: str, statement: str
) -> None:
    audit = Audit(stage.database)
    await audit.note(ANN, changed(1, 2))
    with psycopg.connect(database, autocommit=True) as conn:
        for role in ("origin", "replica"):
            conn.execute(sql.SQL("SET session_replication_role = {}").format(sql.Literal(role)))
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed"):
                conn.execute(statement.encode())
    assert (await audit.verify()).broken is None


async def test_a_role_cannot_choose_what_it_writes_of_the_chain(
    stage: Stage, database: str
) -> None:
    role = f"web_{conninfo_to_dict(database)['dbname']}"
    with psycopg.connect(database, autocommit=True) as conn:
        try:
            give_roles(database, [DatabaseRole(part=Part.WEB, name=role, password="any words")])
            conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            conn.execute(
                "INSERT INTO audit_entry (id, at, actor_kind, actor_name, action, previous_hash,"
                " hash) VALUES (99, now() - interval '1 day', 'user', 'Eve', 'user.login',"
                " decode(repeat('11', 32), 'hex'), decode(repeat('22', 32), 'hex'))"
            )
            for statement in REFUSED:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(statement.encode())
        finally:
            conn.execute("RESET ROLE")
            conn.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    audit = Audit(stage.database)
    [entry] = (await audit.page(AuditQuery())).entries
    # What it chose for itself does not count.
    assert (entry.id, entry.previous_hash) == (1, START.hex())
    assert abs(entry.at - stage.database.clock()) < timedelta(minutes=5)
    assert (await audit.verify()).broken is None


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE audit_entry SET actor_name = 'Bob' WHERE id = 2", 2),
        ("UPDATE audit_entry SET at = at - interval '1 second' WHERE id = 2", 2),
        ("UPDATE audit_entry SET before_hash = NULL WHERE id = 2", 2),
        ("UPDATE audit_entry SET changes = '{}' WHERE id = 2", 2),
        ("DELETE FROM audit_entry WHERE id = 2", 3),
        ("DELETE FROM audit_entry WHERE id = 1", 2),
    ],
)
async def test_tampering_by_whoever_owns_the_database_is_found(
    stage: Stage, database: str, tampering: str, broken: int
) -> None:
    audit = Audit(stage.database)
    for number in range(3):
        await audit.note(ANN, changed(number, number + 1))
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("ALTER TABLE audit_entry DISABLE TRIGGER ALL")
        conn.execute(tampering.encode())
    report = await audit.verify()
    assert report.broken == broken
    assert report.fault


async def test_a_chain_that_was_cut_or_made_anew_is_found_by_a_hash_kept_elsewhere(
    stage: Stage, database: str
) -> None:
    audit = Audit(stage.database)
    for number in range(3):
        await audit.note(ANN, changed(number, number + 1))
    before = await audit.verify()
    known = {before.last_id: before.last_hash}
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_stays")
        conn.execute("DELETE FROM audit_entry WHERE id = 3")
    assert (await audit.verify()).broken is None
    assert (await audit.verify(known=known)).broken == 3
    await audit.note(BOT, changed(8, 9))
    assert (await audit.verify()).broken is None
    assert "made anew" in (await audit.verify(known=known)).fault


async def test_the_list_is_paged_and_narrowed(stage: Stage) -> None:
    audit = Audit(stage.database)
    for number in range(5):
        await audit.note(ANN, changed(number, number + 1))
    await audit.note(BOT, Deed(action="article.export"))
    await audit.note(BOT, Deed(action="source", object_kind="source", object_id="other"))
    first = await audit.page(AuditQuery(), limit=3)
    second = await audit.page(AuditQuery(), cursor=first.next, limit=4)
    assert [entry.id for entry in (*first.entries, *second.entries)] == [7, 6, 5, 4, 3, 2, 1]
    assert second.next is None

    async def found(query: AuditQuery) -> list[int]:
        return [entry.id for entry in (await audit.page(query)).entries]

    assert await found(AuditQuery(actor="ANN", action="source.change", object_id="acme"))
    assert await found(AuditQuery(actor="bot")) == [7, 6]
    assert await found(AuditQuery(action="source")) == [7, 5, 4, 3, 2, 1]
    assert await found(AuditQuery(action="sour")) == []
    assert await found(AuditQuery(object_kind="source", object_id="other")) == [7]
    moment = first.entries[-1].at
    assert await found(AuditQuery(since=moment)) == [7, 6, 5]
    assert await found(AuditQuery(until=moment)) == [4, 3, 2, 1]
    assert await audit.actions() == ("article.export", "source", "source.change")
    for cursor in ("", "x", "-1", "1" * 40, "\u0661"):
        with pytest.raises(CursorError):
            await audit.page(AuditQuery(), cursor=cursor)


async def test_whatever_is_said_an_entry_is_one_line_and_short(stage: Stage) -> None:
    audit = Audit(stage.database)
    ugly = "a\r\nb\x00\x1b[31m\u2028\u202e\x85" + "x" * 5_000
    actor = Actor(kind=ActorKind.NOBODY, name=ugly, token_id=ugly, ip=ugly, request_id=ugly)
    deed = Deed(
        action=ugly,
        object_kind=ugly,
        object_id=ugly,
        after={f"field {n} {ugly}": ugly for n in range(100)},
        detail={"reason": ugly, "\N{PILE OF POO}": "\N{PILE OF POO}"},
    )
    await audit.note(actor, deed)
    [entry] = (await audit.page(AuditQuery())).entries
    for text in (entry.actor_name, entry.action, entry.object_id, entry.ip, entry.changes):
        assert text.isprintable()
        assert len(text) <= 4_000
    assert msgspec.json.decode(entry.changes)["left_out"] > 0
    assert (await audit.verify()).broken is None


def test_no_secret_is_kept_of_what_changed() -> None:
    secret = "canary-4d1f9c"
    deed = Deed(
        action="x",
        before={"password": "old", "url": "https://acme.example/feed"},
        after={
            "password": secret,
            "url": f"https://u:{secret}@acme.example/feed?token={secret}",
            "headers": {"Authorization": f"Bearer {secret}"},
        },
        detail={"note": f"cookie: {secret}"},
    )
    assert secret not in changes_of(deed)
    assert set(msgspec.json.decode(changes_of(deed))) == {"password", "url", "headers", "note"}


async def test_a_whole_log_is_read_in_batches(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO audit_entry (actor_kind, actor_name, action)"
            " SELECT 'program', 'seed', 'seed.' || n FROM generate_series(1, 2500) n"
        )
    async with Database(database, size=1) as opened:
        report = await Audit(opened).verify()
    assert (report.entries, report.broken) == (2_500, None)
