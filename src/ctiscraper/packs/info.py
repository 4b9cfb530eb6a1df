"""What a data pack says of itself."""

import msgspec


class PackInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pack's data comes from, in which version, and under which terms.

    `notice` are the words that the licence wants shown.
    """

    name: str
    version: str
    source: str
    licence: str
    notice: str = ""
