"""An answer gathered from its pieces, while it is still worth gathering."""

from collections.abc import Callable

from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.models.faults import unreadable

# A grammar may leave a model nothing but white space, which it then writes until it is stopped.
_MOST_BLANK = 400
_BYTES_A_TOKEN = 4
# What a token may be as JSON in a line of its own: escapes, ids, times.
_LINE_OF_TOKEN = 2_000
_MOST_CHARS_A_TOKEN = 200


class Answer:
    """The text so far. `most_tokens` bounds it, whatever the server was told and does."""

    def __init__(self, server: str, most_tokens: int, said: Callable[[str], None] | None) -> None:
        self._server = server
        self._most = max(_MOST_CHARS_A_TOKEN, most_tokens * _MOST_CHARS_A_TOKEN)
        self._said = said
        self._parts: list[str] = []
        self._length = 0
        self._blank = 0
        self.pieces = 0

    def add(self, part: str) -> None:
        """Take one more piece. Raises ModelError where the answer is no answer any more."""
        if not part:
            return
        # PostgreSQL keeps no NUL, and nothing keeps half a character.
        part = part.replace("\0", "\N{REPLACEMENT CHARACTER}")
        self.pieces += 1
        self._parts.append(part)
        self._length += len(part)
        trailing = len(part) - len(part.rstrip())
        self._blank = self._blank + trailing if trailing == len(part) else trailing
        if self._blank > _MOST_BLANK:
            raise unreadable(self._server, "nothing but white space any more", self.text)
        if self._length > self._most:
            raise unreadable(self._server, "more than it was allowed to", self.text[: self._most])
        if self._said is not None:
            self._said(part)

    @property
    def text(self) -> str:
        """What was said so far."""
        return "".join(self._parts)

    def ended_early(self) -> ModelError:
        """Return the error of an answer that stopped without an end."""
        return ModelError(
            ModelFault.BROKE_OFF,
            f"{self._server} ended the answer before it was whole; see its log",
            raw=self.text,
        )


def most_bytes(most_tokens: int) -> int:
    """Return what an answer of so many tokens can cost on the wire, and some room."""
    return 256 * 1024 + most_tokens * _LINE_OF_TOKEN


def tokens_of(text: str) -> int:
    """Return about how many tokens a text is, for servers that do not tell."""
    return len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN + 1 if text else 0
