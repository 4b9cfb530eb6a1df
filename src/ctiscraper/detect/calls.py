"""What runs in the sandbox: bytes in, bytes out. Rules and reports are written by others."""

import msgspec

from ctiscraper.detect.assessing import assess
from ctiscraper.detect.checking import check
from ctiscraper.detect.converting import convert
from ctiscraper.detect.drafted import Query
from ctiscraper.detect.drafting import events_of
from ctiscraper.detect.messages import (
    AnswerMessage,
    CheckMessage,
    ConvertMessage,
    DraftMessage,
)
from ctiscraper.detect.modelled import assess_answer
from ctiscraper.detect.replay import benign_events
from ctiscraper.errors import InputError

_encode = msgspec.msgpack.encode


def draft(payload: bytes) -> bytes:
    """Return the encoded Drafted of a DraftMessage."""
    message = msgspec.msgpack.decode(payload, type=DraftMessage)
    return _encode(assess(message.material, message.techniques))


def checked(payload: bytes) -> bytes:
    """Return the encoded Checked of a CheckMessage."""
    message = msgspec.msgpack.decode(payload, type=CheckMessage)
    events = message.events
    if message.material is not None:
        events = events_of(message.material)
    return _encode(check(message.yaml, events, message.techniques))


def converted(payload: bytes) -> bytes:
    """Return the encoded Query of a ConvertMessage; what is no rule has that as its failure."""
    message = msgspec.msgpack.decode(payload, type=ConvertMessage)
    try:
        return _encode(convert(message.yaml, message.target))
    except InputError as error:
        return _encode(Query(target=message.target, failure=str(error)))


def answered(payload: bytes) -> bytes:
    """Return the encoded Drafted of an AnswerMessage."""
    message = msgspec.msgpack.decode(payload, type=AnswerMessage)
    found = assess_answer(
        message.answer,
        message.material,
        by=(message.model, message.prompt),
        techniques=message.techniques,
    )
    return _encode(found)


def warm_up(_: bytes) -> bytes:
    """Return nothing, after the ordinary events were read."""
    benign_events()
    return b""
