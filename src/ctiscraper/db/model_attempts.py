"""What a fault costs a text: one of its attempts, or nothing where it says more of the server."""

from dataclasses import dataclass

from ctiscraper.db.model_servers import LONGEST_REST, OF_ALL_TEXTS
from ctiscraper.errors import ModelFault

MOST_ATTEMPTS = 5
# So often a text is let off for what may be its own doing all the same.
MOST_SPARED = 5
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0

# What is never a text's doing.
_NEVER_ITS_DOING = frozenset({ModelFault.BUSY, ModelFault.MODEL_MISSING, ModelFault.OFF})
# What a text does to a server that was well, and a server to each text when it is not.
_PERHAPS_ITS_DOING = frozenset({ModelFault.BROKE_OFF, ModelFault.OUT_OF_MEMORY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What becomes of a text after a fault.

    It is asked `again` after a `pause` of seconds, or has failed. With `refund` it has its attempt
    back; `spared` is how often it was let off so far. `fault` is what is told of it.
    """

    again: bool
    refund: bool
    spared: int
    pause: float
    fault: ModelFault


def judged(
    fault: ModelFault, *, transient: bool, attempts: int, spared: int, was_well: bool
) -> Cost:
    """Return what a fault costs a text that was asked so often and let off so often.

    `was_well` says that the server had answered, or was seen to be there, before it failed.
    """
    refund, counts = False, False
    if transient and fault in _NEVER_ITS_DOING:
        refund = True
    elif transient and fault is ModelFault.AWAY:
        # A server that a text has crashed looks like this behind a gateway.
        refund = not was_well or spared < MOST_SPARED
        counts = refund and was_well
    elif transient and fault in OF_ALL_TEXTS:
        # What stands before a server may refuse the words of one text as it does a wrong key.
        refund = not was_well or spared < MOST_SPARED
        counts = refund
    elif transient and fault in _PERHAPS_ITS_DOING:
        refund = counts = not was_well and spared < MOST_SPARED
    is_suspect = transient and fault is ModelFault.AWAY and not refund
    tries = attempts + (spared if fault in _PERHAPS_ITS_DOING | OF_ALL_TEXTS else 0)
    # After an outage nobody waits longer than for the server itself.
    longest = LONGEST_REST if fault in OF_ALL_TEXTS and not was_well else LONGEST_PAUSE
    return Cost(
        again=transient and (refund or attempts < MOST_ATTEMPTS),
        refund=refund,
        spared=spared + counts,
        pause=min(longest, pause_after(tries)),
        fault=ModelFault.BROKE_OFF if is_suspect else fault,
    )


def pause_after(attempts: int) -> float:
    """Return how long to wait after so many attempts."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 4 ** max(0, attempts - 1)))
