"""A database that fails at one article, as it does where a page of its own is damaged."""

from db.stage import Stage


async def fail_at(stage: Stage, table: str, article: int) -> None:
    """Let each write of a table fail that is about one article."""
    await stage.run("""
        CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'a page is damaged' USING ERRCODE = 'data_corrupted'; END $$
    """)
    await stage.run(
        f"CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
        f" WHEN (new.article_id = {article}) EXECUTE FUNCTION fail()"
    )
