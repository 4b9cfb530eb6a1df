"""What asking a model may change, told row by row and column by column, and all the rest hashed."""

import hashlib
from collections.abc import Sequence

from answering import SERVER
from ctiscraper.analysis.analysed import RULES
from web.said import say
from web.shelf import Shelf

TABLES = """
SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') ORDER BY 1
"""
ANSWER = """
    state attempts run_after lease lease_until reserved said fault detail raw claims dropped hidden
    unread parts why failed_parts repaired prompt_tokens answer_tokens seconds cost copied_from
    again started_at ended_at
"""
"""Of the row that was asked for: what came of it. Whose it is and what was asked stays."""

# Of each table of models the rows that are the question's own, and what of them may change.
_OWN = {
    "model_analysis": ("t.id = ANY(%(asked)s)", ANSWER),
    "model_source": (
        "t.source_id IN (SELECT source_id FROM model_analysis WHERE id = ANY(%(asked)s))",
        "served_at rest_until",
    ),
    "model_spent": (
        """
        t.day = current_date AND (t.source_id, t.model) IN
        (SELECT source_id, model FROM model_analysis WHERE id = ANY(%(asked)s))
        """,
        "calls prompt_tokens answer_tokens estimated cost",
    ),
    "model_server": (
        "t.name = %(server)s",
        "failures rest_until fault detail version models remote seen_at",
    ),
    "model_missing": (
        """
        t.server = %(server)s AND t.model IN
        (SELECT model FROM model_analysis WHERE id = ANY(%(asked)s))
        """,
        "tries rest_until detail",
    ),
}
# These may be new as well: a turn, a meter, a server and what it lacks are noted when they first
# are.
_NEW = frozenset({"model_source", "model_spent", "model_server", "model_missing"})


def dump(shelf: Shelf, asked: Sequence[int] = ()) -> dict[str, str]:
    """Every table as one number, without what asking for these analyses may change."""
    names = shelf.run(f"SELECT array_agg(relname::text) FROM ({TABLES}) t")[0]
    found = {}
    for name in names:
        own, columns = _OWN.get(name, ("false", ""))
        row = f"CASE WHEN {own} THEN to_jsonb(t) - %(columns)s::text[] ELSE to_jsonb(t) END::text"
        shown = f"WHERE NOT coalesce({own}, false)" if name in _NEW else ""
        rows = shelf.run(
            f"SELECT string_agg(r, E'\\n' ORDER BY r)"
            f" FROM (SELECT {row} AS r FROM {name} t {shown}) x",
            {"asked": list(asked), "columns": columns.split(), "server": SERVER},
        )[0]
        found[name] = hashlib.sha256((rows or "").encode()).hexdigest()
    return found


def seed(shelf: Shelf, article: int) -> None:
    """Put what models said of other articles beside one, of its source and of another, and paid."""
    source = shelf.run("SELECT s.key FROM source s JOIN article a ON a.source_id = s.id"
                       " WHERE a.id = %s", (article,))[0]  # fmt: skip
    for key in (source, "others"):
        other = shelf.article("Another report", source=key, text="Another text, of other things.")
        claim = {"text": "Kept", "quotes": [{"text": "Another text", "start": 0, "end": 12}]}
        number = say(shelf, other, claim | {"fields": {}}, model="m")
        say(shelf, other, claim | {"fields": {"rule": "title: Kept"}}, task=RULES)
        say(shelf, other, model="away", state="failed", fault="timeout", detail="no end")
        say(shelf, other, model="waits", state="cancelled")
        shelf.run(
            "INSERT INTO model_feedback (analysis_id, claim_key, claim, good, actor)"
            " VALUES (%s, sha256('kept'), '{}', true, 'ann')",
            (number,),
        )
    shelf.run(
        "INSERT INTO model_source (source_id, rest_until)"
        " SELECT id, now() - interval '1 day' FROM source WHERE key = 'others'"
    )
    shelf.run(
        "INSERT INTO model_spent (day, source_id, model, calls)"
        " SELECT current_date, id, 'm', 7 FROM source WHERE key = 'others' UNION ALL"
        " SELECT current_date - 1, id, 'm', 7 FROM source WHERE key = %s UNION ALL"
        " SELECT current_date, id, 'another', 7 FROM source WHERE key = %s",
        (source, source),
    )
    shelf.run("INSERT INTO model_server (name, fault) VALUES ('http://other.example', 'away')")
    shelf.run(
        "INSERT INTO model_missing (server, model, rest_until)"
        " VALUES ('http://other.example', 'small', now())"
    )
