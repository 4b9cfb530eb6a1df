"""What makes vectors of texts, whoever it is."""

from collections.abc import Sequence
from typing import Protocol

from ctiscraper.embed.weights import Floats


class Embedder(Protocol):
    """A model of vectors. Every call raises ModelError and SettingsError."""

    @property
    def floor(self) -> float:
        """The cosine below which two texts have nothing to do with each other."""
        ...

    @property
    def support(self) -> float | None:
        """What a passage must have to bear an answer out, None where that is not known.

        By its cosine and the part of the question's words that stand in it (`meaning.support_of`).
        """
        ...

    async def identity(self) -> tuple[str, str]:
        """Return name and version; vectors of others are not to be compared with its own."""
        ...

    async def embed(self, texts: Sequence[str]) -> Floats:
        """Return a row of length one for each text."""
        ...
