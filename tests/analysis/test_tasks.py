"""What is asked has a version that changes with every word of it, and a schema without gaps."""

from collections.abc import Iterator
from importlib.resources import files

import pytest

from ctiscraper.analyses import is_newer
from ctiscraper.analysis import tasks
from ctiscraper.analysis.analysed import TaskName
from ctiscraper.analysis.answers import schema_of
from ctiscraper.analysis.tasks import offering, schema_for, task_of

# A hash that differs says that a prompt or a schema changed: then give the prompt the next number,
# as answers are kept by it, and write both here. So does PROOFS where other claims are kept.
VERSIONS = {
    "summary-3-9862628625",
    "key_points-3-901e31625a",
    "relations-2-1d739d490d",
    "techniques-2-bfda340ee9",
    "detections-2-e3cf1a80d1",
    "relevance-2-90815cfaff",
    "title-3-4f48fd1733",
}


def test_a_prompt_that_changed_has_a_new_version() -> None:
    assert {task_of(name).version for name in TaskName} == VERSIONS


@pytest.mark.parametrize("name", TaskName)
def test_other_proofs_are_a_newer_version(name: TaskName, monkeypatch: pytest.MonkeyPatch) -> None:
    before = task_of(name).version
    monkeypatch.setattr(tasks, "PROOFS", tasks.PROOFS + 1)
    task_of.cache_clear()
    try:
        after = task_of(name).version
    finally:
        task_of.cache_clear()
    assert is_newer(after, before)
    assert after.rpartition("-")[2] != before.rpartition("-")[2]


@pytest.mark.parametrize("name", TaskName)
def test_every_object_of_a_schema_is_closed_and_every_list_bounded(name: TaskName) -> None:
    def parts(part: object) -> Iterator[dict[str, object]]:
        if isinstance(part, dict):
            yield part
            for one in part.values():
                yield from parts(one)
        elif isinstance(part, list):
            for one in part:
                yield from parts(one)

    schema = task_of(name).schema
    assert schema == schema_of(task_of(name).answer)
    kinds = set()
    for part in parts(schema):
        assert not {"$ref", "$defs", "title", "description"} & part.keys()
        kinds.add(part.get("type"))
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            properties = part["properties"]
            assert isinstance(properties, dict)
            assert part["required"] == [*properties]
        if part.get("type") == "array":
            assert part["maxItems"]
        if part.get("type") == "string":
            assert part.keys() & {"maxLength", "enum", "pattern"}
    assert {"object", "array", "string"} <= kinds


@pytest.mark.parametrize("name", TaskName)
def test_what_proves_a_claim_is_written_before_it(name: TaskName) -> None:
    claim = task_of(name).schema["properties"]["claims"]["items"]
    assert next(iter(claim["properties"])) == "quotes"


def test_every_prompt_belongs_to_a_task() -> None:
    folder = files("ctiscraper.analysis").joinpath("prompts")
    names = {one.name for one in folder.iterdir()}
    assert names == {f"{name.value}.md" for name in TaskName} | {"rules.md"}


def test_what_is_watched_is_a_closed_list_of_its_schema() -> None:
    task = task_of(TaskName.RELEVANCE)
    claim = schema_for(task, ["a", "b"])["properties"]["claims"]["items"]
    assert claim["properties"]["watched"] == {"type": "string", "enum": ["a", "b"]}
    assert "enum" not in task.schema["properties"]["claims"]["items"]["properties"]["watched"]
    assert schema_for(task, []) is task.schema


def test_quotations_are_offered_where_words_prove_a_claim() -> None:
    without = {name for name in TaskName if not task_of(name).offers_quotes}
    assert {*TaskName} - without == {TaskName.SUMMARY, TaskName.KEY_POINTS, TaskName.TITLE}
    schema = task_of(TaskName.SUMMARY).schema
    quotes = offering(schema, ["One.", "Two."])["properties"]["claims"]["items"]["properties"][
        "quotes"
    ]
    assert quotes["items"] == {"type": "string", "enum": ["One.", "Two."]}
    assert (quotes["minItems"], quotes["maxItems"]) == (1, 2)
    assert "enum" not in str(schema["properties"]["claims"]["items"]["properties"]["quotes"])
