"""Vectors that a test can foresee: of the words of a text, each a direction of its own."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ctiscraper.embed.weights import Floats
from ctiscraper.wording import stems_of

DIMENSIONS = 2048


class WordedEmbedder:
    """Texts that share words are near; each text it was given is kept."""

    floor = 0.05
    support: float | None = None

    def __init__(self, name: str = "worded", version: str = "1") -> None:
        self.name, self.version = name, version
        self.given: list[str] = []

    async def identity(self) -> tuple[str, str]:
        return self.name, self.version

    async def embed(self, texts: Sequence[str]) -> Floats:
        self.given += texts
        return np.array([self.vector(text) for text in texts], np.float32)

    def vector(self, text: str) -> Floats:
        found = np.full(DIMENSIONS, 1e-4, np.float32)
        for stem in stems_of(text):
            found[int(hashlib.sha256(stem.encode()).hexdigest(), 16) % DIMENSIONS] += 1
        return np.asarray(found / np.linalg.norm(found), np.float32)
