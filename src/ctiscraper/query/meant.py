"""A search parted into what it means and what it is narrowed to."""

from ctiscraper.query.tree import And, Node, Not, Or, Question, Term, demanded


def meant(question: Question) -> tuple[str, Question | None]:
    """Return the words that are looked for by meaning, and the rest as a search of its own.

    The rest has the fields and what must not stand there; None where there is no rest.
    """
    words, rest = [], []
    for part in demanded(question.tree):
        said = list(_words(part))
        words += said
        if not said or _has_field(part):
            rest.append(part)
    if not rest:
        return " ".join(words), None
    tree = And(tuple(rest)) if len(rest) > 1 else rest[0]
    return " ".join(words), Question(question.text, tree, question.things)


def loosened(question: Question) -> Question:
    """Return a search for any of its words where it asks for all; the rest must still hold."""
    words: list[Node] = []
    rest: list[Node] = []
    for part in demanded(question.tree):
        (rest if isinstance(part, Not) or _has_field(part) else words).append(part)
    flat = [one for part in words for one in (part.parts if isinstance(part, Or) else (part,))]
    if len(flat) > 1:
        rest.append(Or(tuple(flat)))
    else:
        rest += flat
    tree = And(tuple(rest)) if len(rest) > 1 else rest[0]
    return Question(question.text, tree, question.things)


def _words(node: Node) -> list[str]:
    if isinstance(node, And | Or):
        return [one for part in node.parts for one in _words(part)]
    if isinstance(node, Not | Term):
        return []
    return [node.text]


def _has_field(node: Node) -> bool:
    if isinstance(node, And | Or):
        return any(map(_has_field, node.parts))
    return isinstance(node, Term | Not)
