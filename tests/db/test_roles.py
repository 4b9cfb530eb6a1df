"""Each part of the program has a role in the database that may do what it needs, and no more."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ctiscraper.access.identity_claims import Identity
from ctiscraper.audit_views import Actor, ActorKind, AuditQuery, Deed
from ctiscraper.db.audit import Audit
from ctiscraper.db.binaries import PgBinaries
from ctiscraper.db.cluster import SUPERUSER
from ctiscraper.db.identities import Identities
from ctiscraper.db.migrate import upgrade
from ctiscraper.db.roles import PRIVATE, DatabaseRole, Part, give_roles, renew_rights
from ctiscraper.db.session import Database
from ctiscraper.errors import InputError, SettingsError
from ctiscraper.identity import Role
from ctiscraper.tasks.rounds import (
    check_accounts,
    count_words,
    queue_missed,
    roll_up,
    shut_out_unseen,
)
from ctiscraper.tasks.upkeep import apply_retention
from internet.world import FakeInternet
from servers import own_server
from walk.walker import walking

PASSWORD = "forty-two quiet harbours"
ACTOR = Actor(kind=ActorKind.USER, name="Ann", user_id=7)
NO_RIGHT = psycopg.errors.InsufficientPrivilege


@dataclass(frozen=True)
class Roles:
    """The roles of a test, and how each part connects."""

    database: str
    stem: str

    def name(self, part: Part | str) -> str:
        return f"{self.stem}_{part}"

    def conninfo(self, part: Part | str) -> str:
        return make_conninfo(self.database, user=self.name(part), password=PASSWORD)

    def both(self) -> list[DatabaseRole]:
        return [DatabaseRole(part=part, name=self.name(part), password=PASSWORD) for part in Part]

    def run(self, statement: str) -> None:
        """As the owner; `{}` is what the names begin with."""
        with psycopg.connect(self.database, autocommit=True) as conn:
            conn.execute(statement.replace("{}", self.stem).encode())


@pytest.fixture
def roles(database: str) -> Iterator[Roles]:
    """Names that nobody else has; whatever is made of them is gone at the end."""
    yield Roles(database, str(conninfo_to_dict(database)["dbname"]))
    stem = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(database, autocommit=True) as conn:
        made = conn.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", (stem,))
        for (name,) in made.fetchall():
            for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
                conn.execute(sql.SQL(statement).format(sql.Identifier(name)))


@pytest.fixture
def given(roles: Roles) -> Roles:
    give_roles(roles.database, roles.both())
    return roles


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor_name = 'Bob'",
        "UPDATE audit_entry SET actor_name = 'Bob' WHERE false",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "DROP TABLE audit_entry",
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        "ALTER TABLE audit_entry OWNER TO CURRENT_USER",
        "DROP FUNCTION audit_refuse CASCADE",
        "SET session_replication_role = replica",
        "INSERT INTO snapshot (url) VALUES ('https://x.example')",
        "UPDATE snapshot SET bytes = 0",
        "DELETE FROM snapshot",
        "UPDATE alembic_version SET version_num = '0'",
        "DELETE FROM database_role",
        "CREATE TABLE mine (id integer)",
        "CREATE ROLE another SUPERUSER",
    ],
)
async def test_the_pages_add_to_the_audit_log_and_change_nothing_of_it(
    given: Roles, statement: str
) -> None:
    async with Database(given.conninfo(Part.WEB), size=1) as opened:
        audit = Audit(opened)
        assert await audit.note(ACTOR, Deed(action="user.login")) == 1
        with psycopg.connect(given.conninfo(Part.WEB), autocommit=True) as conn:
            assert conn.execute("SELECT current_user").fetchone() == (given.name(Part.WEB),)
            with pytest.raises(NO_RIGHT):
                conn.execute(statement.encode())
        [entry] = (await audit.page(AuditQuery())).entries
        assert (entry.actor_name, (await audit.verify()).broken) == ("Ann", None)


async def test_the_pages_shut_out_whoever_stays_away_from_his_provider(given: Roles) -> None:
    who = Identity(
        issuer="https://id.example", subject="s", login="bea", name="Bea", role=Role.VIEWER
    )
    async with Database(given.conninfo(Part.WEB), size=1) as opened:
        await Identities(opened).admit(who)
        given.run("UPDATE user_identity SET seen_at = now() - interval '91 days'")
        await shut_out_unseen(opened, 90)
        [entry] = (await Audit(opened).page(AuditQuery())).entries
    assert (entry.action, entry.actor_kind) == ("user.shut_out", ActorKind.PROGRAM)


def test_workers_cannot_read_who_people_are(given: Roles) -> None:
    with psycopg.connect(given.conninfo(Part.WORKER), autocommit=True) as conn:
        for table in sorted(PRIVATE):
            for statement in ("SELECT 1 FROM {}", "DELETE FROM {}", "COPY {} TO STDOUT"):
                with pytest.raises(NO_RIGHT):
                    conn.execute(sql.SQL(statement).format(sql.Identifier(table)))
        for statement in ("SELECT login FROM app_user", "INSERT INTO audit_entry DEFAULT VALUES"):
            with pytest.raises(NO_RIGHT):
                conn.execute(statement.encode())


def test_whatever_belongs_to_somebody_is_no_business_of_workers(database: str) -> None:
    """A table that a migration adds for people has to be named as private."""
    with psycopg.connect(database) as conn:
        rows = conn.execute(
            "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f' AND confrelid = 'app_user'::regclass"
        ).fetchall()
        there = conn.execute("SELECT relname FROM pg_class WHERE relkind = 'r'").fetchall()
    # Whose work an article is says nothing of who that is.
    assert {row[0] for row in rows} - {"article_triage"} <= PRIVATE
    assert {row[0] for row in there} >= PRIVATE


async def test_a_worker_does_all_of_its_work_with_its_own_role(
    given: Roles, tmp_path: Path
) -> None:
    conninfo = given.conninfo(Part.WORKER)
    async with (
        FakeInternet(hosts=2, items=3) as net,
        walking(conninfo, net, tmp_path, enrich=True) as walk,
    ):
        await walk.add(*net.sources())
        await walk.collect()
        await walk.all_due()
        await walk.collect()
        assert await walk.value("SELECT count(*) FROM article") == 6
        assert await walk.value("SELECT count(*) FROM snapshot") == 6
        assert await walk.value("SELECT count(*) FROM enrichment_job") == 0
        assert set(await walk.reasons()) == {"stored"}
        async with Database(conninfo, size=1) as rounds:
            for step in (check_accounts, queue_missed, count_words, roll_up):
                await step(rounds)
        removed = await apply_retention(walk.services)
        assert removed.done
    assert await reads(given.conninfo(Part.WEB), "SELECT count(*) FROM article") == 6


async def reads(conninfo: str, query: str) -> object:
    async with await psycopg.AsyncConnection.connect(conninfo) as conn:
        row = await (await conn.execute(query.encode())).fetchone()
    return row[0] if row else None


async def test_a_migration_gives_roles_their_rights_on_what_it_adds(given: Roles) -> None:
    given.run("CREATE TABLE from_a_migration (id integer)")
    with pytest.raises(NO_RIGHT):
        await reads(given.conninfo(Part.WORKER), "SELECT count(*) FROM from_a_migration")
    await asyncio.to_thread(upgrade, given.database)
    for part in Part:
        query = "SELECT count(*) FROM from_a_migration"
        assert await reads(given.conninfo(part), query) == 0
    # What somebody gave beside is taken back.
    given.run("GRANT SELECT ON app_user TO {}_worker")
    renew_rights(given.database)
    with pytest.raises(NO_RIGHT):
        await reads(given.conninfo(Part.WORKER), "SELECT count(*) FROM app_user")


def test_a_role_that_is_gone_is_passed_over(given: Roles) -> None:
    given.run("DROP OWNED BY {}_worker; DROP ROLE {}_worker")
    renew_rights(given.database)


def test_passwords_are_replaced_and_kept_as_hashes(given: Roles) -> None:
    with psycopg.connect(given.database) as conn:
        query = "SELECT rolpassword, rolsuper FROM pg_authid WHERE rolname = %s"
        (before, is_super) = conn.execute(query, (given.name("web"),)).fetchone() or ("", True)
        assert str(before).startswith("SCRAM-SHA-256$")
        assert is_super is False
    other = DatabaseRole(part=Part.WEB, name=given.name("web"), password="another one altogether")
    assert "another" not in repr(other)
    give_roles(given.database, [other])
    with psycopg.connect(given.database) as conn:
        assert conn.execute(query, (given.name("web"),)).fetchone() != (before, False)


RULES = """
local all postgres trust
host all all 127.0.0.1/32 scram-sha-256
"""


async def test_an_owner_who_may_make_roles_is_enough(place: Path, binaries: PgBinaries) -> None:
    """On a server that asks for passwords, where the owner of the schema is no superuser."""
    async with own_server(place / "pg", binaries) as server:
        rules = server.cluster.folder / "pg_hba.conf"
        rules.write_text(RULES.replace("postgres", SUPERUSER), "ascii")
        server.give(rules)
        server.run(
            "SELECT pg_reload_conf()",
            "CREATE ROLE me LOGIN CREATEROLE PASSWORD 'right'",
            "CREATE DATABASE mine OWNER me",
            "REVOKE ALL ON DATABASE mine FROM PUBLIC",
        )
        server.run("REVOKE ALL ON SCHEMA public FROM PUBLIC", dbname="mine")
        here = {"host": "127.0.0.1"}
        owner = server.conninfo("mine", user="me", password="right", **here)
        upgrade(owner)
        wanted = [DatabaseRole(part=part, name=f"my_{part}", password=PASSWORD) for part in Part]
        for _ in range(2):
            give_roles(owner, wanted)
        for part in Part:
            of_part = {**here, "user": f"my_{part}"}
            told = server.conninfo("mine", password=PASSWORD, **of_part)
            assert await reads(told, "SELECT count(*) FROM article") == 0
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                await reads(server.conninfo("mine", password="wrong", **of_part), "SELECT 1")


@pytest.mark.parametrize(
    ("prepared", "password", "said"),
    [
        ("SELECT 1", None, "there is no role"),
        ("CREATE ROLE {}_web LOGIN", PASSWORD, "DROP ROLE"),
        ("CREATE ROLE {}_web LOGIN SUPERUSER", None, "is a superuser"),
        ("CREATE ROLE {}_web; GRANT pg_read_all_data TO {}_web", None, None),
        ("CREATE ROLE {}_web; GRANT pg_write_all_data TO {}_web", None, "INSERT alembic_"),
        ("CREATE ROLE {}_web; GRANT DELETE ON audit_entry TO PUBLIC", None, "DELETE audit_entry"),
        ("CREATE ROLE {}_web; GRANT UPDATE (ip) ON audit_entry TO PUBLIC", None, "UPDATE"),
    ],
)
def test_a_role_that_would_have_more_is_refused(
    roles: Roles, prepared: str, password: str | None, said: str | None
) -> None:
    roles.run(prepared)
    wanted = [DatabaseRole(part=Part.WEB, name=roles.name("web"), password=password)]
    if said is None:
        give_roles(roles.database, wanted)
        return
    with pytest.raises(SettingsError, match=said):
        give_roles(roles.database, wanted)
    with psycopg.connect(roles.database) as conn:
        assert conn.execute("SELECT count(*) FROM database_role").fetchone() == (0,)


def test_a_worker_that_reads_everything_is_refused(roles: Roles) -> None:
    roles.run("CREATE ROLE {}_worker; GRANT pg_read_all_data TO {}_worker")
    with pytest.raises(SettingsError, match="SELECT"):
        give_roles(roles.database, [DatabaseRole(part=Part.WORKER, name=roles.name("worker"))])


def test_who_may_not_make_roles_is_told_what_to_do(given: Roles) -> None:
    with pytest.raises(SettingsError, match="CREATEROLE"):
        give_roles(
            given.conninfo(Part.WEB),
            [DatabaseRole(part=Part.WORKER, name=given.name("more"), password=PASSWORD)],
        )


@pytest.mark.parametrize("name", ["", "Web", "a b", 'x"y', "9lives", "a" * 64])
def test_a_name_that_servers_spell_differently_is_refused(database: str, name: str) -> None:
    with pytest.raises(InputError, match="no name for a role"):
        give_roles(database, [DatabaseRole(part=Part.WEB, name=name, password=PASSWORD)])
