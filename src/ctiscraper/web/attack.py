"""What is known of ATT&CK by the pack in use, read when first asked for and when it changes."""

import asyncio
from dataclasses import dataclass, field

from ctiscraper.db.packs import Packs
from ctiscraper.db.session import Database
from ctiscraper.packs.attack_matrix import AttackPack
from ctiscraper.packs.registry import read_known
from ctiscraper.web.matrix import Matrix
from ctiscraper.web.recent import Recent

# How long a change of the pack may go unseen.
SECONDS = 60.0
_NAME = "attack"


@dataclass(slots=True)
class AttackShelf:
    """The matrix of the pack in use, kept while that stays the same."""

    _recent: Recent[Matrix] = field(default_factory=lambda: Recent(SECONDS))
    _sha256: bytes = b""
    _matrix: Matrix = field(default_factory=Matrix)

    async def matrix(self, database: Database) -> Matrix:
        """Return the matrix, an empty one while no pack is installed. Raises StorageError."""
        return await self._recent.get(_NAME, lambda: self._read(Packs(database)))

    async def _read(self, packs: Packs) -> Matrix:
        active = (await packs.active()).get(_NAME)
        if active is None:
            return Matrix()
        if active.sha256 != self._sha256:
            data = await packs.body(_NAME, active.sha256)
            _, records = await asyncio.to_thread(read_known, data)
            assert isinstance(records, AttackPack), "the registry says what a pack holds"
            self._matrix = Matrix(
                techniques=records.techniques,
                tactics=records.tactics,
                versions={domain.value: version for domain, version in records.versions.items()},
                pack=records,
            )
            self._sha256 = active.sha256
        return self._matrix
