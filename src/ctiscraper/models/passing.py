"""A server of models that another stands before: what is passed on as it is."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from ctiscraper.models.server import Model, ModelServer, Pulled


@dataclass(slots=True)
class Passing:
    """A server as it is; who is built on this adds to what questions and vectors do."""

    server: ModelServer

    @property
    def name(self) -> str:
        """What people read of it."""
        return self.server.name

    @property
    def is_remote(self) -> bool:
        """Whether what it is told leaves this machine and its private network."""
        return self.server.is_remote

    async def version(self) -> str:
        """Return what the server says it is."""
        return await self.server.version()

    async def models(self) -> tuple[Model, ...]:
        """Return the models that it has."""
        return await self.server.models()

    def pull(self, model: str) -> AsyncIterator[Pulled]:
        """Yield how far the fetching of a model is."""
        return self.server.pull(model)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.server.close()
