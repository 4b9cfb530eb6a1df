"""The language of searches: what it reads, and where it says that something is wrong."""

import string
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctiscraper.errors import SearchSyntaxError
from ctiscraper.query.parse import DEEPEST, LONGEST, MOST_TERMS, parse
from ctiscraper.query.tree import And, FieldName, Node, Not, Or, Phrase, Term, Word, leaves
from ctiscraper.query.write import write

A, B, C = Word("a1"), Word("b1"), Word("c1")

READ: tuple[tuple[str, Node], ...] = (
    ("a1", A),
    ("  a1\t b1 ", And((A, B))),
    ("a1 AND b1 AND c1", And((A, B, C))),
    ("a1 b1 OR c1", Or((And((A, B)), C))),
    ("a1 (b1 OR c1)", And((A, Or((B, C))))),
    ("((a1))", A),
    ("(a1 b1) c1", And((A, B, C))),
    ("-a1", Not(A)),
    ("NOT a1", Not(A)),
    ("a1 -(b1 c1)", And((A, Not(And((B, C)))))),
    ('-"b c"', Not(Phrase("b c"))),
    ("- a1", And((Word("-"), A))),
    ("a1-b1", Word("a1-b1")),
    ('"lateral   movement"', Phrase("lateral movement")),
    ("power*", Word("power", prefix=True)),
    ("CVE-2026-*", Word("CVE-2026-", prefix=True)),
    ("and or not", And((Word("and"), Word("or"), Word("not")))),
    ("evil[.]example", Word("evil[.]example")),
    ("evil(.)example", Word("evil(.)example")),
    ("evil [dot] example", Word("evil [dot] example")),
    ("hxxps[://]evil[.]example/a", Word("hxxps[://]evil[.]example/a")),
    ("h**p://evil.example", Word("h**p://evil.example")),
    ("http://a.example", Word("http://a.example")),
    (r"C:\Windows\System32", Word(r"C:\Windows\System32")),
    ("10.0.0.1:8080", Word("10.0.0.1:8080")),
    ("std::vector", Word("std::vector")),
    ("note: a1", And((Word("note:"), A))),
    ("'", Word("'")),
    ('actor:"Lazarus  Group"', Term(FieldName.ACTOR, ":", "Lazarus Group")),
    ("ACTOR:apt28", Term(FieldName.ACTOR, ":", "apt28")),
    ("tier:Premium", Term(FieldName.TIER, ":", "premium")),
    ("attack:t1059.001", Term(FieldName.ATTACK, ":", "T1059.001")),
    ("cve:2026-12345", Term(FieldName.CVE, ":", "CVE-2026-12345")),
    ("cve:cve-2026-12345", Term(FieldName.CVE, ":", "CVE-2026-12345")),
    ("ioc:hxxp://evil[.]example/x", Term(FieldName.IOC, ":", "hxxp://evil[.]example/x")),
    ("ioc:evil(.)example", Term(FieldName.IOC, ":", "evil(.)example")),
    ("score>=70", Term(FieldName.SCORE, ">=", "70")),
    ("score<0.7", Term(FieldName.SCORE, "<", "70")),
    ("score>1.0", Term(FieldName.SCORE, ">", "100")),
    ("after:2026-11-01", Term(FieldName.AFTER, ":", "2026-11-01")),
    ("after:2026-11", Term(FieldName.AFTER, ":", "2026-11-01")),
    ("before:2026", Term(FieldName.BEFORE, ":", "2026-01-01")),
    ("before:2W", Term(FieldName.BEFORE, ":", "2w")),
    ("after:Yesterday", Term(FieldName.AFTER, ":", "yesterday")),
    ("after:2026-11-01T10:00+02:00", Term(FieldName.AFTER, ":", "2026-11-01T08:00:00Z")),
    ("state:DONE", Term(FieldName.STATE, ":", "done")),
    ('state:"in review"', Term(FieldName.STATE, ":", "review")),
    ("assignee:none", Term(FieldName.ASSIGNEE, ":", "nobody")),
    ("assignee:Ada", Term(FieldName.ASSIGNEE, ":", "ada")),
    ("starred:Yes", Term(FieldName.STARRED, ":", "yes")),
    ("is:UNREAD", Term(FieldName.IS, ":", "unread")),
    ("lang:EN", Term(FieldName.LANG, ":", "en")),
    ("-source:acme tag:apt", And((Not(Term(FieldName.SOURCE, ":", "acme")),
                                  Term(FieldName.TAG, ":", "apt")))),
)  # fmt: skip

WRONG: tuple[tuple[str, int, int, str], ...] = (
    ("", 0, 0, "expected a word"),
    ("   ", 0, 0, "expected a word"),
    ('a1 "b c', 3, 4, "closing"),
    ('a1 ""', 3, 2, "between the quotes"),
    ("a1 AND", 3, 3, "after AND"),
    ("a1 OR OR b1", 3, 2, "after OR"),
    ("OR a1", 0, 2, "in quotes"),
    ("NOT", 0, 3, "after NOT"),
    ("()", 0, 1, r"after \("),
    ("a1 (b1", 3, 3, r"expected a \)"),
    ("a1 b1)", 5, 1, r"no \("),
    ("*", 0, 1, "at least 2"),
    ("a*", 0, 2, "at least 2"),
    ("ab*cd", 2, 1, "only at the end"),
    ("*.example", 0, 1, "only at the end"),
    ("actor:", 0, 6, "right after actor:"),
    ("actor: apt28", 0, 6, "right after actor:"),
    ("actr:apt28", 0, 5, "did you mean actor:"),
    ("actors:apt28", 0, 7, "did you mean actor:"),
    ("language:en", 0, 9, "did you mean lang:"),
    ("zzz:en", 0, 4, "there is no field zzz:"),
    ("starred:maybe", 8, 5, "yes or no"),
    ("a1 state:open", 9, 4, "expected one of new, review, done, ignored"),
    ("is:mine", 3, 4, "unread, read or new"),
    ("assignee:", 0, 9, "right after assignee:"),
    ("status:done", 0, 7, "did you mean state:"),
    ("tier:gold", 5, 4, "expected one of premium"),
    ("score:70", 0, 6, "score>=70"),
    ("score>=101", 7, 3, "from 0 to 100"),
    ("score>1.5", 6, 3, "from 0 to 100"),
    ("score>NaN", 6, 3, "from 0 to 100"),
    ("tier>3", 0, 5, "expected tier:"),
    ("after:soon", 6, 4, "a day such as"),
    ("after:2026-13-01", 6, 10, "a day such as"),
    ("before:99999-01-01", 7, 11, "a day such as"),
    ("after:9999y", 6, 5, "a day such as"),
    ("before:1901y", 7, 5, "a day such as"),
    ("cve:foo", 4, 3, "CVE-2026-12345"),
    ("lang:english", 5, 7, "such as en"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), READ)
def test_what_is_typed_becomes_a_tree(text: str, tree: Node) -> None:
    assert parse(text) == tree
    assert parse(write(tree)) == tree


@pytest.mark.parametrize(("text", "position", "length", "said"), WRONG)
def test_a_mistake_has_its_place(text: str, position: int, length: int, said: str) -> None:
    with pytest.raises(SearchSyntaxError, match=said) as caught:
        parse(text)
    assert (caught.value.position, caught.value.length) == (position, length)


def test_places_are_those_of_the_text() -> None:
    text = 'foo  AND (bar* OR "b c") -actor:"x y"'
    spans = [text[n.span.start : n.span.start + n.span.length] for n in leaves(parse(text))]
    assert spans == ["foo", "bar*", '"b c"', 'actor:"x y"']


def test_what_is_too_much_is_refused_at_its_place() -> None:
    for text, position in (
        ("x" * (LONGEST + 1), LONGEST),
        ("ab " * (MOST_TERMS + 1), 3 * MOST_TERMS),
        ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), DEEPEST),
        ("NOT " * (DEEPEST + 1) + "a", 4 * DEEPEST),
    ):
        with pytest.raises(SearchSyntaxError, match="at most") as caught:
            parse(text)
        assert caught.value.position == position
    assert parse("(" * DEEPEST + "a" + ")" * DEEPEST) == Word("a")
    assert len(list(leaves(parse("ab " * MOST_TERMS)))) == MOST_TERMS


SIGNS = ['"', "(", ")", "-", "*", ":", ">", "=", " AND ", " OR ", " NOT ", "actor:", "score>",
         "after:", "[.]", "(.)", "ioc:", "evil.example", " ", "\0", "\u202e", "\ud800"]  # fmt: skip


TYPED = st.lists(st.one_of(st.sampled_from(SIGNS), st.text(max_size=3))).map("".join)


def _read(text: str) -> Node | SearchSyntaxError:
    try:
        return parse(text)
    except SearchSyntaxError as error:
        return error


@pytest.mark.parametrize(
    "text",
    [
        "(0)[.]",
        "(a[.])b",
        "([)(.])",
        "(a OR [.])b",
        "NOT  [.]",
        "([)dot]",
        "(a(.))b",
        "x OR (.)]@",
        "]  a{{@ OR b",
        "dot  OR .]  [",
    ],
)
def test_brackets_take_nothing_along_when_they_are_written(text: str) -> None:
    tree = parse(text)
    assert parse(write(tree)) == tree
    assert parse(write(And((tree, Word("more"))))) == parse(f"({text}) more")


@given(st.one_of(st.text(), TYPED))
@example("(0)[.]")
def test_any_text_is_a_tree_or_a_mistake_within_it(text: str) -> None:
    tree = _read(text)
    if isinstance(tree, SearchSyntaxError):
        assert 0 <= tree.position <= tree.position + tree.length <= len(text)
        return
    again = parse(write(tree))
    assert again == tree
    for leaf in leaves(tree):
        assert leaf.span.length > 0
        assert leaf.span.start + leaf.span.length <= len(text)


PLAIN = st.text(string.ascii_lowercase + string.digits, min_size=2, max_size=8)
LEAVES = st.one_of(
    st.builds(Word, PLAIN, st.booleans()),
    st.builds(Phrase, st.lists(PLAIN, min_size=1, max_size=3).map(" ".join)),
    st.builds(
        Term, st.sampled_from([FieldName.ACTOR, FieldName.SOURCE, FieldName.TAG, FieldName.IOC]),
        st.just(":"), st.lists(PLAIN, min_size=1, max_size=2).map(" ".join),
    ),
)  # fmt: skip


def _group(kind: type[And | Or]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a strategy
    def make(parts: list[Node]) -> Node:
        flat: list[Node] = []
        for part in parts:
            flat += part.parts if isinstance(part, kind) else (part,)
        return kind(tuple(flat))

    return make


TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(_group(And)),
        st.lists(inner, min_size=2, max_size=3).map(_group(Or)),
        st.builds(Not, inner),
    ),
    max_leaves=12,
)


@given(TREES)
def test_what_is_written_is_read_as_it_was(tree: Node) -> None:
    assert parse(write(tree)) == tree


UNITS = ("(", ")", '"', "-", "a ", "[.]", "[", "a(.)", ":", "*", "NOT ", " [ ")


@pytest.mark.parametrize("unit", UNITS)
def test_no_search_takes_long(unit: str) -> None:
    started = time.process_time()
    for _ in range(20):
        _read((unit * LONGEST)[:LONGEST])
    assert time.process_time() - started < 2, "linear: milliseconds"
