"""What pages show beside articles: stories, saved searches and rules, of a filled database."""

from ctiscraper.db.detections import DetectionDrafts
from ctiscraper.db.saved_searches import Given, SavedSearches
from ctiscraper.db.session import Conn, Database
from ctiscraper.detect.assessing import assess
from sigma_drafts import Report, material

STORIES = 30_000
_IN_A_STORY = 3
_STORIES = f"""
WITH newest AS (
    SELECT a.id, a.sort_at, (row_number() OVER (ORDER BY a.sort_at DESC) - 1) / {_IN_A_STORY} AS n
    FROM article a WHERE a.duplicate_of IS NULL ORDER BY a.sort_at DESC
    LIMIT {STORIES * _IN_A_STORY}),
made AS (
    INSERT INTO story (first_article, articles, first_at, last_at)
    SELECT (array_agg(id ORDER BY sort_at))[1], count(*), min(sort_at), max(sort_at)
    FROM newest GROUP BY n RETURNING id, first_article)
INSERT INTO story_article (article_id, story_id)
SELECT other.id, made.id FROM made JOIN newest one ON one.id = made.first_article
JOIN newest other ON other.n = one.n
"""
_REPORT = Report(
    title="A loader in three steps",
    content=(
        "The loader ran `powershell.exe -nop -w hidden -enc SQBFAFgAIABuAGUAdwA=` and then "
        "`schtasks.exe /create /tn Updater /tr C:\\ProgramData\\up.exe /sc minute /mo 5`. It kept "
        "itself with HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run\\Updater.\n"
    ),
)


async def furnish(database: Database, user: int, queries: list[str], rules: int) -> None:
    """Give the newest articles stories and rules, once, and a user these searches."""
    async with database.transaction() as conn:
        if not await _one(conn, "SELECT EXISTS (SELECT 1 FROM story)"):
            await conn.execute(_STORIES)
            await conn.execute("ANALYZE story, story_article")
        cursor = await conn.execute(
            "SELECT id FROM article ORDER BY sort_at DESC, id DESC LIMIT %s", (rules,)
        )
        newest = [row[0] for row in await cursor.fetchall()]
    drafts = assess(material(_REPORT)).drafts
    if not drafts:
        raise SystemExit("the report gives no rule any more: its page cannot be measured")
    detections = DetectionDrafts(database)
    for article in newest:
        await detections.keep(article, 1, drafts, by="bench")
    searches = SavedSearches(database)
    for number, query in enumerate(queries):
        given = Given(name=f"search {number}", query=query, sort="newest", shared=False)
        await searches.add(user, given)


async def _one(conn: Conn, statement: str) -> object:
    row = await (await conn.execute(statement)).fetchone()
    assert row is not None
    return row[0]
