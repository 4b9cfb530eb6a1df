"""A search as conditions over articles."""

from ctiscraper.asking import understand
from ctiscraper.db.article_filters import wanted_of
from ctiscraper.db.session import Database
from ctiscraper.views import ArticleQuery
from web.claims import mention, name
from web.shelf import Shelf


async def test_whatever_of_many_things_an_article_may_name_is_looked_up_once(
    database: str, opened: Database
) -> None:
    shelf = Shelf(database)
    hosts = [f"n{number}.example" for number in range(30)]
    await name(database, shelf, shelf.article("a"), *map(mention, hosts))
    text = " OR ".join(f"ioc:{host}" for host in hosts)
    async with opened.connection() as conn:
        any_of, _ = await wanted_of(conn, ArticleQuery(q=understand(text)))
        all_of, _ = await wanted_of(conn, ArticleQuery(q=understand(text.replace(" OR ", " "))))
    assert [str(one.as_string()).count("mention") for one in any_of.filters] == [1]
    assert [str(one.as_string()).count("mention") for one in all_of.filters] == [1] * 30
