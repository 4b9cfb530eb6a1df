"""The names of the pack in use as rows."""

import msgspec

from ctiscraper.db.known_names import KnownNames
from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.intelligence import Name
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.pack import write_pack
from ctiscraper.packs.records import Entry, NamesPack
from web.shelf import Shelf


def pack(version: str, *entries: Entry) -> bytes:
    info = PackInfo(name="names", version=version, source="test", licence="MIT", notice="")
    return write_pack(info, NamesPack(entries=entries, ordinary=(), technical=()))


async def test_names_follow_the_pack_in_use(database: str) -> None:
    lazarus = Entry(Name.ACTOR, "G0032", "Lazarus Group", ("HIDDEN COBRA", "Lazarus  Group", "..."))
    async with Database(database, size=2) as opened:
        names, packs = KnownNames(opened), Packs(opened)
        assert await names.renew() is None
        await packs.install(pack("1", lazarus))
        assert await names.renew() == 2
        assert await names.renew() is None
        assert rows(database) == [("hiddencobra", "G0032"), ("lazarusgroup", "G0032")]
        other = msgspec.structs.replace(lazarus, aliases=())
        await packs.install(pack("2", other))
        assert await names.renew() == 1
        assert rows(database) == [("lazarusgroup", "G0032")]


def rows(database: str) -> list[tuple[str, str]]:
    found = Shelf(database).run(
        "SELECT coalesce(json_agg(json_build_array(label, value) ORDER BY label), '[]')"
        " FROM known_name"
    )
    return [(label, value) for label, value in found[0]]
