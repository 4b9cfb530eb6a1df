from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.dom import parse_html
from ctiscraper.extract.weights import Outline, Weights

TAGS = ["div", "p", "a", "span", "b", "ul", "li", "pre", "article", "aside", "td", "h2"]
NAMES = ["", "related", "post-body", "meta", "comments", "x", "share", "article-content"]
WORDS = [
    "",
    " \n",
    "word ",
    "one more sentence of an article that is long enough to count. ",
]
NODES = st.lists(
    st.tuples(
        st.sampled_from(TAGS), st.sampled_from(NAMES), st.sampled_from(WORDS), st.integers(0, 3)
    ),
    max_size=30,
)


def outline_of(nodes: list[tuple[str, str, str, int]]) -> Outline:
    markup, opened = ["<html><body><div>"], list[str]()
    for tag, name, words, closed in nodes:
        markup.append(f'<{tag} class="{name}">{words}')
        opened.append(tag)
        ended = [opened.pop() for _ in range(min(closed, len(opened)))]
        markup += [f"</{last}>{words[:9]}" for last in ended]
    root = parse_html("".join(markup))
    assert root is not None
    return Outline(root)


@given(NODES)
def test_a_part_weighs_the_same_as_if_it_were_the_whole(
    nodes: list[tuple[str, str, str, int]],
) -> None:
    outline = outline_of(nodes)
    for place, element in enumerate(outline.elements):
        part, alone = Weights(outline, place), Weights(Outline(element))
        assert part.elements == alone.elements == list(element.iter())
        assert (part.total, part.links, part.good) == (alone.total, alone.links, alone.good)
        assert (part.sign, part.ends, part.tags) == (alone.sign, alone.ends, alone.tags)


@given(NODES)
def test_places_and_sizes_are_those_of_the_tree(nodes: list[tuple[str, str, str, int]]) -> None:
    weights = Weights(outline_of(nodes))
    for i, element in enumerate(weights.elements):
        assert weights.place(element) == i
        assert weights.elements[i : weights.ends[i]] == list(element.iter())
        assert [weights.elements[j] for j in weights.children(i)] == list(element)
        said = [text for t in element.itertext() if not (text := str(t)).isspace()]
        assert weights.total[i] == sum(map(len, said))
        if element.tag == "a":
            assert weights.links[i] == weights.total[i]


def test_weighing_a_part_leaves_the_whole_as_it_was() -> None:
    outline = outline_of([("div", "related", WORDS[3] * 3, 1), ("p", "", WORDS[3], 1)])
    before = Weights(outline)
    for place in range(len(outline.elements)):
        Weights(outline, place)
    after = Weights(outline)
    assert (before.good, before.sign, before.total) == (after.good, after.sign, after.total)


def test_a_name_counts_against_a_part_but_not_against_most_of_the_whole() -> None:
    outline = outline_of([("div", "related", WORDS[3], 1), ("p", "", WORDS[3] * 3, 1)])
    place = next(i for i, e in enumerate(outline.elements) if e.get("class") == "related")
    assert Weights(outline).sign[place] < 0
    assert Weights(outline, place).sign[0] == 0
