"""What a question may cost at the most, before it is asked."""

from ctiscraper.analysis.analysed import TaskName
from ctiscraper.analysis.asked import ask, repair_of, title_line, tokens_of
from ctiscraper.analysis.parts import estimated_tokens
from ctiscraper.analysis.tasks import task_of

ANSWER_SHARE = 4
"""An answer has this share of a model's context at the most."""

_FENCE = "0" * 24
# A part that ends at a paragraph is half full at the least.
_FILLED = 2
# Fifty things that are watched, of some ninety letters each: few are half as long.
_WATCHED_TOKENS = 1_500
_REPAIR = repair_of(["the claims are in the language 'xx', and should be in English " * 3])


def answer_tokens(most: int, context: int) -> int:
    """Return how long an answer may be in a context."""
    return min(most, context // ANSWER_SHARE)


def most_tokens(name: TaskName, title: str, text: str, context: int) -> int:
    """Return how many tokens a task takes of an article at the most: each part asked about twice.

    Where a server takes in less than the context a part is halved, which costs its prompt anew.
    """
    task = task_of(name)
    answer = answer_tokens(task.most_tokens, context)
    asked = tokens_of(ask(task, title_line(title), "", _FENCE))
    if name is TaskName.RELEVANCE:
        asked += _WATCHED_TOKENS
    body = "" if name is TaskName.TITLE else text
    room = max(1, context - asked - answer)
    # More than there is room for is not read, and need not be counted to its end.
    length = min(estimated_tokens(body[: task.most_parts * room * 4]), task.most_parts * room)
    parts = max(1, min(task.most_parts, -(-length * _FILLED // room)))
    return asked_twice(parts * (asked + answer) + length, parts * answer, parts * context)


def asked_twice(once: int, answers: int, contexts: int) -> int:
    """Return what a question costs with its repair, which shows the wrong answer where it fits."""
    again = once + answers + estimated_tokens(_REPAIR)
    return min(once, contexts) + min(again, contexts + estimated_tokens(_REPAIR))
