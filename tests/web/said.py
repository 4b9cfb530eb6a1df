"""What models said of the articles of a shelf, written row by row."""

import json

from answering import use
from ctiscraper.analyses import ModelUse
from ctiscraper.analysis.analysed import TaskName
from web.shelf import Shelf

CLAIMS = 2


def claim(said: str, text: str, *quotes: str, **fields: str) -> dict[str, object]:
    """A claim that rests on words of a text."""
    found = [{"text": one, "start": text.index(one)} for one in quotes]
    return {
        "text": said,
        "quotes": [{**one, "end": int(str(one["start"])) + len(str(one["text"]))} for one in found],
        "fields": fields,
    }


def say(
    shelf: Shelf,
    article: int,
    *claims: dict[str, object],
    task: str = TaskName.SUMMARY.value,
    model: str = "small",
    **changes: object,
) -> int:
    """Keep what a model said of an article as it is; give the number."""
    values = {
        "state": "done",
        "claims": json.dumps(claims),
        "asked_by": "",
        "prompt_version": f"{task}-1",
        "model": model,
        "task": str(task),
        "prompt_tokens": 1200,
        "answer_tokens": 90,
        **changes,
    }
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    row = shelf.run(
        f"""
        INSERT INTO model_analysis (article_id, source_id, revision, text_key, {names})
        SELECT id, source_id, revision,
            sha256(convert_to(title || E'\\n' || text, 'UTF8')), {marks}
        FROM article WHERE id = %s RETURNING id
        """,
        (*values.values(), article),
    )
    return int(row[0])


def configured(**changes: object) -> ModelUse:
    return use(tasks=(TaskName.SUMMARY, TaskName.TECHNIQUES), **changes)
