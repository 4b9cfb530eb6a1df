"""Reading a search: one pass over its signs, and a mistake has its place."""

import re
from dataclasses import dataclass, field
from enum import Enum, auto

from ctiscraper.errors import SearchSyntaxError
from ctiscraper.query.fields import (
    SCORE_SIGNS,
    ValueRefusedError,
    field_named,
    nearest_field,
    normal_value,
)
from ctiscraper.query.tree import And, FieldName, Node, Not, Or, Phrase, Span, Term, Word

LONGEST = 1000
"""How many characters a search may have."""
DEEPEST = 20
"""How deep parentheses and NOT may stand in one another."""
MOST_TERMS = 64
"""How many words, phrases and fields a search may have."""

# Brackets that hide a dot, a colon or an at-sign in an address belong to the word around them.
_MARK = r"\s?[\[({]\s?(?:\.|dot|@|at)\s?[\])}]\s?|\(:\)|\[:(?://)?\]"
_WORD = re.compile(rf'(?:{_MARK}|[^\s()"])+', re.IGNORECASE)
_FIELD = re.compile(r"([A-Za-z_]{2,20})(:|>=|<=|>|<)")
# What a colon behind letters may be without naming a field: a scheme, a drive, a scope.
_NO_FIELD = re.compile(r"$|[\s/\\:()\"\[]")
_DEFANGED_SCHEME = re.compile(r"[hf]\*{1,2}[a-z]{0,3}(?=\W|$)", re.IGNORECASE)
_SPACE = re.compile(r"\s*")
_LETTER = re.compile(r"\w")
_FEWEST_BEFORE_STAR = 2


class _Kind(Enum):
    OPEN = auto()
    CLOSE = auto()
    AND = auto()
    OR = auto()
    NOT = auto()
    LEAF = auto()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: _Kind
    span: Span
    leaf: Word | Phrase | Term | None = None


_OPERATORS = {"AND": _Kind.AND, "OR": _Kind.OR, "NOT": _Kind.NOT}


def parse(text: str) -> Node:
    """Return the tree of a search. Raises SearchSyntaxError."""
    try:
        return _tree(text)
    except SearchSyntaxError as error:
        error.text = text
        raise


def _tree(text: str) -> Node:
    if len(text) > LONGEST:
        raise SearchSyntaxError(
            f"a search has at most {LONGEST:,} characters, this one has {len(text):,}",
            position=LONGEST,
            length=len(text) - LONGEST,
        )
    tokens = _Lexer(text).tokens()
    if not tokens:
        raise SearchSyntaxError("expected a word, a phrase or a field", position=0, length=0)
    return _Parser(tokens, len(text)).whole()


@dataclass(slots=True)
class _Lexer:
    text: str
    at: int = 0
    terms: int = 0
    found: list[_Token] = field(default_factory=list)

    def tokens(self) -> list[_Token]:
        """Return the signs of the text in their order."""
        while True:
            space = _SPACE.match(self.text, self.at)
            assert space is not None, "nothing is a space too"
            self.at = space.end()
            if self.at >= len(self.text):
                return self.found
            self._one()

    def _one(self) -> None:
        char = self.text[self.at]
        if char in "()":
            self._add(_Kind.OPEN if char == "(" else _Kind.CLOSE, 1)
        elif char == "-" and self._negates():
            self._add(_Kind.NOT, 1)
        elif char == '"':
            start = self.at
            self._leaf(Phrase(self._quoted(start), Span(start, self.at - start)))
        else:
            self._word()

    def _negates(self) -> bool:
        """Return whether a stroke stands before what is left out."""
        following = self.text[self.at + 1 : self.at + 2]
        return following in {'"', "("} or bool(following and _LETTER.match(following))

    def _add(self, kind: _Kind, length: int) -> None:
        self.found.append(_Token(kind, Span(self.at, length)))
        self.at += length

    def _leaf(self, leaf: Word | Phrase | Term) -> None:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise SearchSyntaxError(
                f"a search has at most {MOST_TERMS} words, phrases and fields",
                position=leaf.span.start,
                length=len(self.text) - leaf.span.start,
            )
        self.found.append(_Token(_Kind.LEAF, leaf.span, leaf))

    def _quoted(self, start: int) -> str:
        """Return what stands in quotes from here on, and go behind it."""
        end = self.text.find('"', self.at + 1)
        if end < 0:
            raise SearchSyntaxError(
                'expected a closing " for the phrase that begins here',
                position=start,
                length=len(self.text) - start,
            )
        inside = self.text[self.at + 1 : end]
        if not inside.strip():
            raise SearchSyntaxError(
                "expected words between the quotes", position=start, length=end + 1 - start
            )
        self.at = end + 1
        return " ".join(inside.split())

    def _word(self) -> None:
        named = _FIELD.match(self.text, self.at)
        if named is not None and self._field(named):
            return
        found = _WORD.match(self.text, self.at)
        assert found is not None, "what is no space, quote or parenthesis is a word"
        said = found[0].rstrip()
        operator = _OPERATORS.get(said)
        if operator is not None:
            self._add(operator, len(said))
            return
        span = Span(self.at, len(said))
        self.at += len(said)
        self._leaf(_to_word(" ".join(said.split()), span))

    def _field(self, named: re.Match[str]) -> bool:
        """Return whether letters before a colon were a field, which is read then."""
        word, sign = named[1].lower(), named[2]
        name = field_named(word)
        if name is None:
            if sign != ":" or _NO_FIELD.match(self.text, named.end()):
                return False
            raise _no_field(named)
        _check_sign(name, named)
        self.at = named.end()
        value = self._value(name, named)
        span = Span(named.start(), self.at - named.start())
        try:
            self._leaf(Term(name, sign, normal_value(name, value), span))
        except ValueRefusedError as error:
            inside = named.end() - named.start()
            raise SearchSyntaxError(
                str(error), position=span.start + inside, length=span.length - inside
            ) from error
        return True

    def _value(self, name: FieldName, named: re.Match[str]) -> str:
        if self.text[self.at : self.at + 1] == '"':
            return self._quoted(self.at)
        found = _WORD.match(self.text, self.at)
        if found is None or found[0][:1].isspace():
            raise SearchSyntaxError(
                f"expected a value right after {named[0]} (one of several words stands in quotes: "
                f'{name}:"two words")',
                position=named.start(),
                length=len(named[0]),
            )
        said = found[0].rstrip()
        self.at += len(said)
        return said


def _check_sign(name: FieldName, named: re.Match[str]) -> None:
    if (name is FieldName.SCORE) == (named[2] in SCORE_SIGNS):
        return
    wanted = "score>=70" if name is FieldName.SCORE else f"{name}: and a value"
    raise SearchSyntaxError(
        f"expected {wanted}, not {named[0]}", position=named.start(), length=len(named[0])
    )


def _no_field(named: re.Match[str]) -> SearchSyntaxError:
    word = named[1].lower()
    meant = nearest_field(word)
    meaning = f"did you mean {meant}:? The" if meant else "the"
    said = (
        f"there is no field {word}:; {meaning} fields are {', '.join(FieldName)}. "
        "To look for these very words, put them in quotes"
    )
    return SearchSyntaxError(said, position=named.start(), length=len(named[0]))


def _to_word(said: str, span: Span) -> Word:
    star = said.find("*")
    if star < 0 or _DEFANGED_SCHEME.match(said):
        return Word(said, span=span)
    if star != len(said) - 1:
        raise SearchSyntaxError(
            "a * stands only at the end of a word, for any letters that may follow",
            position=span.start + star,
            length=1,
        )
    if len(_LETTER.findall(said)) < _FEWEST_BEFORE_STAR:
        raise SearchSyntaxError(
            f"expected at least {_FEWEST_BEFORE_STAR} letters or digits before the *",
            position=span.start,
            length=span.length,
        )
    return Word(said[:-1], prefix=True, span=span)


@dataclass(slots=True)
class _Parser:
    tokens: list[_Token]
    end: int
    at: int = 0
    depth: int = 0

    def whole(self) -> Node:
        """Return the tree of all tokens."""
        tree = self._any()
        if self.at < len(self.tokens):
            span = self.tokens[self.at].span
            raise SearchSyntaxError(
                "there is no ( that this ) closes", position=span.start, length=span.length
            )
        return tree

    def _kind(self) -> _Kind | None:
        return self.tokens[self.at].kind if self.at < len(self.tokens) else None

    def _any(self) -> Node:
        parts = [self._all()]
        while self._kind() is _Kind.OR:
            self.at += 1
            parts.append(self._all())
        return _joined(Or, parts)

    def _all(self) -> Node:
        parts = [self._one()]
        while self._kind() not in {None, _Kind.OR, _Kind.CLOSE}:
            if self._kind() is _Kind.AND:
                self.at += 1
            parts.append(self._one())
        return _joined(And, parts)

    def _one(self) -> Node:
        kind = self._kind()
        if kind is _Kind.NOT:
            return self._without()
        if kind is _Kind.OPEN:
            return self._group()
        if kind is not _Kind.LEAF:
            raise self._expected()
        leaf = self.tokens[self.at].leaf
        assert leaf is not None, "a leaf has what it stands for"
        self.at += 1
        return leaf

    def _without(self) -> Node:
        self._deeper()
        self.at += 1
        part = self._one()
        self.depth -= 1
        return Not(part)

    def _group(self) -> Node:
        opened = self.tokens[self.at].span
        self._deeper()
        self.at += 1
        inside = self._any()
        if self._kind() is not _Kind.CLOSE:
            raise SearchSyntaxError(
                "expected a ) for the ( that stands here",
                position=opened.start,
                length=self.end - opened.start,
            )
        self.at += 1
        self.depth -= 1
        return inside

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            span = self.tokens[self.at].span
            raise SearchSyntaxError(
                f"parentheses and NOT stand at most {DEEPEST} deep in one another",
                position=span.start,
                length=span.length,
            )

    def _expected(self) -> SearchSyntaxError:
        wanted = "expected a word, a phrase or a field"
        if self.at == 0:
            span = self.tokens[0].span
            return SearchSyntaxError(
                f"{wanted}; to look for an operator's word, put it in quotes",
                position=span.start,
                length=span.length,
            )
        before = self.tokens[self.at - 1]
        said = {_Kind.OPEN: "(", _Kind.AND: "AND", _Kind.OR: "OR", _Kind.NOT: "NOT"}
        return SearchSyntaxError(
            f"{wanted} after {said.get(before.kind, 'this')}",
            position=before.span.start,
            length=before.span.length,
        )


def _joined(kind: type[And | Or], parts: list[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, kind) else (part,)
    return kind(tuple(flat))
