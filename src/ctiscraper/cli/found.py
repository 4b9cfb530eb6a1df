"""What a search found, on the terminal."""

from collections.abc import Iterator

from rich.text import Text

from ctiscraper.cli.output import console, moment, plain, print_lines, print_table
from ctiscraper.db.article_filters import FOUND_MOST
from ctiscraper.views import ArticlePage, ArticleSummary, Facets, Snippet


def print_found(page: ArticlePage) -> None:
    """Print the articles of a page, each with its piece of text, and what is said of them."""
    print_lines(f"Note: {note.message}." for note in page.notes)
    screen = console()
    for article in page.articles:
        for line in _article(article):
            screen.print(line)
    if not page.articles:
        print_lines(["No article matches."])
        print_lines(f"Did you mean: {one.search}" for one in page.suggestions)
    if page.facets is not None:
        print_facets(page.facets)
    print_lines(_ending(page))


def _article(article: ArticleSummary) -> Iterator[Text]:
    yield Text.assemble(
        f"{article.id}  {moment(article.listed_at)}  ",
        (plain(article.source.name), "bold"),
        f"  {plain(article.title) or '(no title)'}",
    )
    if article.snippet is not None:
        yield Text.assemble("    ", marked(article.snippet))


def marked(snippet: Snippet) -> Text:
    """Return a piece of text with the matched words in bold."""
    text = Text(plain(snippet.text))
    for start, end in snippet.marks:
        text.stylize("bold reverse", start, end)
    return text


def print_facets(facets: Facets) -> None:
    """Print what matches have in common, each with what narrows the search to it."""
    counted = f"{facets.counted:,}{'+' if facets.capped else ''}"
    print_lines(["", f"Of {counted} matches:"])
    sides = ("source", "tier", "actor", "malware", "technique")
    print_table(
        ["", "articles", "narrow with"],
        [(side, value.articles, value.term) for side in sides for value in getattr(facets, side)],
    )


def _ending(page: ArticlePage) -> Iterator[str]:
    if page.found is not None and page.found > len(page.articles):
        more = " or more" if page.found >= FOUND_MOST else ""
        yield ""
        yield f"{page.found:,}{more} match."
    if page.searched_to is not None:
        yield f"The search came as far back as {moment(page.searched_to)}; --cursor goes on."
    if page.next is not None:
        yield f"More: --cursor {page.next}"
