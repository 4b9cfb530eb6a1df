"""The pack of names and its recogniser, made once for all tests of a process."""

from functools import cache

from ctiscraper.enrich.names import Names
from ctiscraper.intelligence import Mention, Name
from ctiscraper.packs.galaxies import build_default
from ctiscraper.packs.info import PackInfo
from ctiscraper.packs.records import Entry, NamesPack


@cache
def built() -> tuple[PackInfo, NamesPack]:
    """The pack that the installed packages make."""
    return build_default()


@cache
def names() -> Names:
    """The recogniser of that pack."""
    return Names(built()[1])


def small(*entries: Entry, ordinary: tuple[str, ...] = ()) -> Names:
    """A recogniser of a few entries."""
    return Names(NamesPack(entries=entries, ordinary=ordinary, technical=()))


def found(text: str, *kinds: Name) -> dict[str, Mention]:
    """What a text names, of these kinds or of all, by its chief name."""
    mentions = names().find(text)
    return {one.name: one for one in mentions if not kinds or one.kind in kinds}
