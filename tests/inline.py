"""The parsers called in this process, for tests of what is done with their answers."""

from ctiscraper import parsers
from ctiscraper.errors import ParseError, StorageError
from ctiscraper.messages import PARSERS
from ctiscraper.sandbox import Sandbox


class InlineSandbox(Sandbox):
    """A sandbox without processes; `failure` is raised instead of an answer when it is set."""

    def __init__(self, failure: ParseError | StorageError | None = None) -> None:
        super().__init__(PARSERS)
        self.failure = failure
        self.answer: bytes | None = None
        self.called: list[str] = []

    async def call(self, name: str, payload: bytes) -> bytes:
        self.called.append(name)
        if self.failure is not None:
            raise self.failure
        if self.answer is not None:
            return self.answer
        answer: bytes = getattr(parsers, name)(payload)
        return answer
