"""What a search asks for, with the indicators that it names told apart."""

from ctiscraper.enrich.defang import refang
from ctiscraper.enrich.kinds import Kind
from ctiscraper.intelligence import Name
from ctiscraper.lookup import understood
from ctiscraper.query.parse import parse
from ctiscraper.query.tree import FieldName, Question, Term, leaves

Things = tuple[tuple[str, str], ...]


def understand(text: str) -> Question:
    """Return what a search asks for. Raises SearchSyntaxError."""
    tree = parse(text)
    named = {
        leaf.value: _things(leaf.value)
        for leaf in leaves(tree)
        if isinstance(leaf, Term) and leaf.name is FieldName.IOC
    }
    return Question(text, tree, named)


def asked(text: str | None) -> Question | None:
    """Return what a search asks for, if there is one. Raises SearchSyntaxError."""
    return None if text is None or not text.strip() else understand(text)


def _things(value: str) -> Things:
    """Return what an indicator may be stored as: what it is seen to be, else of any kind."""
    found = understood(value)
    if found is not None:
        return (found,)
    plain = refang(value)
    spellings = dict.fromkeys((plain, plain.lower(), value))
    kinds = (Name.TECHNIQUE.value if kind is Kind.ATTACK else kind.value for kind in Kind)
    return tuple((kind, spelling) for kind in kinds for spelling in spellings)
