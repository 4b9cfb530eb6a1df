import json

from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.dom import parse_html
from ctiscraper.extract.jsonld import nodes
from ctiscraper.extract.structured import Structured, clean_tags, read_structured


def read(head: str, body: str = "<p>text</p>", lang: str = "") -> Structured:
    root = parse_html(f"<html lang='{lang}'><head>{head}</head><body>{body}</body></html>")
    assert root is not None
    return read_structured(root)


def ld(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


ARTICLE = {
    "@type": "NewsArticle",
    "headline": "A loader",
    "author": [{"@type": "Person", "name": "Ada Example"}, {"name": "Grace Sample"}],
    "datePublished": "2026-03-04T10:00:00Z",
    "dateModified": "2026-03-05T10:00:00Z",
    "keywords": "loader, phishing",
    "inLanguage": "en-GB",
    "description": "What it does.",
}


def test_json_ld_comes_first() -> None:
    found = read(
        ld(ARTICLE) + '<meta property="og:title" content="Other">'
        '<meta property="article:published_time" content="2026-01-01T00:00:00Z">'
    )
    assert found.title == "A loader"
    assert found.authors == ["Ada Example", "Grace Sample"]
    assert found.tags == ["loader", "phishing"]
    assert found.language == "en-GB"
    assert found.published == [
        ("json-ld", "2026-03-04T10:00:00Z"),
        ("meta", "2026-01-01T00:00:00Z"),
    ]
    assert found.modified == [("json-ld", "2026-03-05T10:00:00Z")]


def test_the_article_is_found_inside_a_graph() -> None:
    graph = {
        "@graph": [
            {"@type": "Organization", "name": "Org"},
            {"@type": ["Thing", "BlogPosting"], "headline": "In a graph"},
        ]
    }
    assert read(ld([graph])).title == "In a graph"


def test_broken_json_ld_is_mended_where_it_can_be() -> None:
    broken = (
        '<script type="application/ld+json">//<![CDATA[\n{"@type": "Article", "headline": "Line\n'
        'break", "keywords": ["a", "b",],}\n//]]></script>'
        '<script type="application/ld+json">{"@type": </script>'
    )
    found = read(broken)
    assert found.title == "Line break"
    assert found.tags == ["a", "b"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.just("Article"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "@type",
                        "@graph",
                        "headline",
                        "author",
                        "name",
                        "keywords",
                        "datePublished",
                        "inLanguage",
                        "articleBody",
                        "description",
                        "mainEntity",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_without_complaint(value: object) -> None:
    markup = json.dumps([value, {"@type": "Article", "author": value}]).replace("</", "<\\/")
    assert isinstance(read(f'<script type="application/ld+json">{markup}</script>'), Structured)


def test_depth_and_size_of_json_ld_are_bounded() -> None:
    assert nodes(["[" * 200_000, "{" * 100_000, '{"a":1}' + " " * 2_000_000]) == []
    assert len(nodes([json.dumps([{"a": 1}] * 5000)])) <= 2000


def test_open_graph_and_meta_fill_what_is_missing() -> None:
    found = read(
        '<meta property="og:title" content="A &amp; B">'
        '<meta name="author" content="By Ada Example">'
        '<meta name="author" content="https://site.example/ada">'
        '<meta name="keywords" content="One, two ,ONE"><meta name="description" content="About.">'
        '<meta property="og:locale" content="de_DE">'
        '<link rel="canonical" href="https://b.example/p">'
    )
    assert (found.title, found.summary, found.language) == ("A & B", "About.", "de_DE")
    assert found.authors == ["Ada Example"]
    assert found.tags == ["One", "two"]
    assert found.canonical == "https://b.example/p"


def test_microdata_and_time_elements_name_their_place() -> None:
    found = read(
        "",
        '<span itemprop="author"><b itemprop="name">Ada Example</b></span>'
        '<time datetime="2026-03-01">1 March</time>'
        '<meta itemprop="datePublished" content="2026-02-28">'
        '<time itemprop="dateModified" datetime="2026-03-02">later</time>',
    )
    assert found.authors == ["Ada Example"]
    assert ("time", "2026-03-01") in found.published
    assert ("microdata", "2026-02-28") in found.published
    assert ("microdata", "2026-03-02") in found.modified


def test_dates_of_other_articles_do_not_count() -> None:
    beside = '<aside><time datetime="2020-01-01"></time></aside><li><time datetime="2020-01-02">'
    own = '<article><li>x</li><time datetime="2026-03-01"></time></article>'
    assert read("", beside + own).published == [("time", "2026-03-01")]


def test_escaped_words_are_read_and_files_are_no_authors() -> None:
    found = read(
        ld(
            ARTICLE
            | {"headline": "&#8216;Quoted&#8217;", "author": ["humans.txt", {"name": ["Ada"]}]}
        )
    )
    assert found.title == "\u2018Quoted\u2019"
    assert found.authors == ["Ada"]


def test_a_number_as_heading_gives_way_to_the_title_in_a_lower_one() -> None:
    title = "Ransomware at work in hospitals"
    found = read(f"<title>{title} | Agency</title>", f"<h1>Alert (AA-1)</h1><h2>{title}</h2>")
    assert found.title == title


def test_a_title_loses_the_name_of_the_site() -> None:
    assert read("<title>How a loader hides its payload | Labs</title>").title == (
        "How a loader hides its payload"
    )
    long = '<meta property="og:title" content="How a loader hides - Labs">'
    assert read(long, "<h1>How a loader hides</h1>").title == "How a loader hides"
    assert read("<title>x</title>", "<h1>Only heading</h1>").title == "Only heading"


def test_nonsense_is_no_language() -> None:
    assert read("", lang="<script>").language == ""
    assert read("", lang="pt-BR").language == "pt-BR"


def test_an_author_is_followed_to_the_node_that_names_him() -> None:
    person = {
        "@type": "Person",
        "@id": "https://b.example/#/schema/person/7",
        "name": "Ada Example",
    }
    post = {
        "@type": "BlogPosting",
        "headline": "H",
        "author": [{"@id": person["@id"]}, {"@id": "https://b.example/#gone"}, {"name": "Grace"}],
    }
    assert read(ld({"@graph": [post, {"@type": "WebSite", "name": "Site"}, person]})).authors == [
        "Ada Example",
        "Grace",
    ]
    named = post | {"author": person["@id"]}
    assert read(ld([person, named])).authors == ["Ada Example"]


def test_references_in_a_circle_name_nobody() -> None:
    node = {"@type": "Article", "@id": "#a", "author": {"@id": "#a"}, "headline": "H"}
    assert read(ld({"@graph": [node]})).authors == []


def test_tags_that_are_none_go() -> None:
    tags = [
        "@site",
        "/path",
        "---",
        "",
        "#IOC",
        "ioc",
        "https://b.example/t",
        "x" * 81,
        "C2",
        "c2 ",
    ]
    assert clean_tags(tags) == ["IOC", "C2"]
    assert len(clean_tags(f"tag {n}" for n in range(99))) == 30
    assert read(f'<meta name="keywords" content="{",".join(tags)}">').tags == ["IOC", "C2"]


def test_what_readers_see_counts_where_nothing_is_declared() -> None:
    shown = '<h1>T</h1><p class="byline">By Ada Example</p><p>Published: 4 March 2026</p>'
    found = read("", shown)
    assert found.authors == ["Ada Example"]
    assert found.published == [("label", "4 March 2026")]
    found = read(ld(ARTICLE | {"datePublished": "0001-01-01T00:00:00Z"}), shown)
    assert found.authors == ["Ada Example", "Grace Sample"]
    assert found.published[-1] == ("label", "4 March 2026")
    assert read(ld(ARTICLE), shown).published == [("json-ld", "2026-03-04T10:00:00Z")]
