"""What a pack of names holds: one entry a thing."""

import msgspec

from ctiscraper.intelligence import Name


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing and what it is called.

    `value` is its ATT&CK id where it has one, else the UUID of the galaxy or a word of our own.
    `origins` are the lists that have it. `country` is where an actor comes from (ISO 3166), `maker`
    the vendor of a product. `type` says more than `kind` does: backdoor, adjective, legitimate.
    """

    kind: Name
    value: str
    name: str
    aliases: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    attack: str = ""
    country: str = ""
    maker: str = ""
    type: str = ""


class Conflict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A name that several things of one kind claim, by their values."""

    alias: str
    values: tuple[str, ...]


class NamesPack(msgspec.Struct, frozen=True, array_like=True):
    """The entries, the words that mean something else in most texts, and the contested names.

    `ordinary` are words of everyday language, `technical` those of technology: a name of malware
    that is one of either says nothing by itself, one of a product only if it is of the first.
    """

    entries: tuple[Entry, ...]
    ordinary: tuple[str, ...]
    technical: tuple[str, ...]
    conflicts: tuple[Conflict, ...] = ()
