"""The techniques that ATT&CK has, by the data pack that is in use here."""

import asyncio
from dataclasses import dataclass, field

from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.packs.attack import NAME, living_techniques
from ctiscraper.packs.attack_matrix import AttackPack
from ctiscraper.packs.registry import read_known


@dataclass(slots=True)
class TechniquesInUse:
    """Their ids, read anew when another pack is in use."""

    database: Database
    _sha256: bytes | None = None
    _ids: frozenset[str] | None = field(default=None, repr=False)

    async def read(self) -> frozenset[str] | None:
        """Return the ids of those that are neither revoked nor deprecated; None without a pack.

        Raises StorageError.
        """
        packs = Packs(self.database)
        active = (await packs.active()).get(NAME)
        found = active.sha256 if active else None
        if found != self._sha256:
            body = await packs.body(NAME, found) if found else None
            self._ids = await asyncio.to_thread(_ids, body) if body else None
            self._sha256 = found
        return self._ids


def _ids(body: bytes) -> frozenset[str]:
    _, records = read_known(body)
    assert isinstance(records, AttackPack), "the pack of ATT&CK"
    return living_techniques(records)
