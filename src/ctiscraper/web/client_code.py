"""The Python client, written from the API's description: python -m ctiscraper.web.client_code DIR.

A file for each tag has its operations as methods, and one beside it the types that only they use;
what several tags use is in `shared.py`.
"""

import asyncio
import json
import keyword
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctiscraper.db.session import Database
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices

Schema = Mapping[str, Any]

WIDTH = 96
_REF = "#/components/schemas/"
_PREFIX = "/api/v1"
_PLAIN = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}
_HEAD = '"""{title}; written from the description of the API, not by hand."""\n'
_OK = ("200", "201", "202", "204")
_JSON = "application/json"
_LEFT_OUT = frozenset({"format", "values"})


@dataclass
class Names:
    """What the code of a file has to import."""

    models: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)


def type_of(schema: Schema, names: Names) -> str:
    """Return the type of what a schema describes."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_REF)
        names.models.add(name)
        return identifier(name)
    if "anyOf" in schema:
        return _union([type_of(each, names) for each in schema["anyOf"]])
    if "const" in schema or "enum" in schema:
        names.others.add("Literal")
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(_literal(value) for value in values)}]"
    return _plain(schema, names)


def identifier(name: str) -> str:
    """Return the name of a schema as that of a type."""
    return name.replace("-", "")


def _plain(schema: Schema, names: Names) -> str:
    kind = str(schema.get("type"))
    if kind == "array":
        return _array(schema, names)
    if kind == "object":
        others = schema.get("additionalProperties")
        inner = type_of(others, names) if isinstance(others, Mapping) else "object"
        return f"dict[str, {inner}]"
    if kind == "string" and schema.get("format") == "date-time":
        names.others.add("datetime")
        return "datetime"
    return _PLAIN.get(kind, "object")


def _array(schema: Schema, names: Names) -> str:
    if "prefixItems" in schema:
        return f"tuple[{', '.join(type_of(each, names) for each in schema['prefixItems'])}]"
    return f"tuple[{type_of(schema.get('items', {}), names)}, ...]"


def _union(types: Sequence[str]) -> str:
    found = list(dict.fromkeys(types))
    if "object" in found:
        return "object"
    if "None" in found:
        found.remove("None")
        found.append("None")
    return " | ".join(found)


def _literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def refs(schema: object) -> Iterator[str]:
    """Yield the names of the schemas that one names."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield str(schema["$ref"]).removeprefix(_REF)
        for each in schema.values():
            yield from refs(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from refs(each)


def reached(schemas: Mapping[str, Schema], start: Iterator[str]) -> set[str]:
    """Return the names that these lead to, themselves included."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += refs(schemas[name])
    return found


def model(name: str, schema: Schema, names: Names, *, sent: bool) -> str:
    """Return the code of a type; what a request `sent` without it is left out."""
    if "properties" not in schema:
        names.others.add("TypeAlias")
        return f"{identifier(name)}: TypeAlias = {type_of(schema, names)}\n{_doc(schema, '')}\n"
    names.others.add("Struct")
    doc = _doc(schema, "    ", name)
    head = f"class {identifier(name)}(Struct, frozen=True, kw_only=True):\n{doc}\n"
    required = set(schema.get("required", ()))
    lines = [
        _field(each, given, names, sent=sent, needed=each in required)
        for each, given in schema["properties"].items()
    ]
    return head + "".join(lines)


def _field(name: str, schema: Schema, names: Names, *, sent: bool, needed: bool) -> str:
    kind = type_of(schema, names)
    if needed:
        return f"    {name}: {kind}\n"
    if sent:
        names.others |= {"UNSET", "UnsetType"}
        return f"    {name}: {_or_unset(kind)}\n"
    default = schema.get("default")
    if isinstance(default, Mapping):
        names.others.add("field")
        return f"    {name}: {kind} = field(default_factory={kind})\n"
    value = "()" if default == [] else _literal(default)
    return f"    {name}: {kind} = {value}\n"


def _or_unset(kind: str) -> str:
    if kind.endswith(" | None"):
        return f"{kind.removesuffix(' | None')} | UnsetType | None = UNSET"
    return f"{kind} | UnsetType = UNSET"


def _doc(schema: Schema, indent: str, name: str = "") -> str:
    words = str(schema.get("description") or f"What the API calls {name}.")
    return _docstring(_paragraphs(words), indent)


def _paragraphs(words: str) -> list[str]:
    return [" ".join(part.split()) for part in words.strip().split("\n\n")]


def _docstring(paragraphs: Sequence[str], indent: str) -> str:
    """Return a docstring whose lines fit."""
    kept = [part for part in paragraphs if part]
    lines = [textwrap.wrap(part, WIDTH - len(indent)) for part in kept]
    if len(lines) == 1 and len(lines[0]) == 1:
        return f'{indent}"""{lines[0][0]}"""\n'
    text = "\n\n".join("\n".join(indent + line for line in part) for part in lines)
    return f'{indent}"""{text.lstrip()}\n{indent}"""\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of the client."""

    name: str
    method: str
    path: str
    given: Schema

    @property
    def tag(self) -> str:
        """The tag of the operation, which names its file."""
        return str(self.given["tags"][0])

    def spoken(self) -> list[object]:
        """Return what is sent and what comes back, problems aside."""
        taken = self.given.get("parameters", []), self.given.get("requestBody", {})
        return [*taken, self.answer()[1]]

    @property
    def media_types(self) -> list[str]:
        """What the body may be; empty without one."""
        return list(self.given.get("requestBody", {}).get("content", {}))

    @property
    def model(self) -> str | None:
        """The type of a body of JSON, None for a file and without a body."""
        content = self.given.get("requestBody", {}).get("content", {})
        return next(refs(content.get(_JSON, {})), None)

    def answer(self) -> tuple[str, Schema]:
        """Return what comes back: "json" with its schema, "file" or "nothing"."""
        for status in _OK:
            given = self.given["responses"].get(status)
            if given is not None:
                content = given.get("content", {})
                if schema := content.get(_JSON, {}).get("schema"):
                    return "json", schema
                return ("file", {}) if content and _JSON not in content else ("nothing", {})
        return "nothing", {}


def operations(description: Schema) -> list[Operation]:
    """Return what the API offers, in its own order."""
    return [
        Operation(
            name=given["operationId"],
            method=method.upper(),
            path=path.removeprefix(_PREFIX),
            given=given,
        )
        for path, methods in description["paths"].items()
        if path.startswith(_PREFIX)
        for method, given in methods.items()
    ]


def method_of(operation: Operation, schemas: Mapping[str, Schema], names: Names) -> str:
    """Return the code of one method."""
    positional, query, sent = _arguments(operation, schemas, names)
    kind, schema = operation.answer()
    answer = {"json": "", "file": "bytes", "nothing": "None"}[kind] or type_of(schema, names)
    keywords = [*query.values(), *sent]
    arguments = ["self", *positional, *(["*", *keywords] if keywords else [])]
    noqa = "  # noqa: PLR0913 - the fields of the API" if len(arguments) > 6 else ""  # noqa: PLR2004
    head = f"    def {operation.name}(\n" + "".join(f"        {each},\n" for each in arguments)
    head = head.replace("(\n", f"({noqa}\n", 1)
    doc = _docstring(
        [
            f"{operation.given['summary']}.",
            *_paragraphs(operation.given.get("description", "")),
        ],
        "        ",
    )
    return f"{head}    ) -> {answer}:\n{doc}{_call(operation, query, sent, answer, names)}"


def _arguments(
    operation: Operation, schemas: Mapping[str, Schema], names: Names
) -> tuple[list[str], dict[str, str], list[str]]:
    """Return the arguments of the path, of the query by their name there, and of the body."""
    positional, query = [], {}
    for given in operation.given.get("parameters", ()):
        name = _argument(given["name"])
        kind = type_of(given["schema"], names).replace("tuple[str, ...]", "list[str]")
        if given["in"] == "path":
            positional.append(f"{name}: {kind}")
        elif given["in"] == "query" and given["name"] not in _LEFT_OUT:
            optional = kind if kind.endswith("None") else f"{kind} | None"
            needed = given.get("required")
            query[given["name"]] = f"{name}: {kind}" if needed else f"{name}: {optional} = None"
    if operation.model is None:
        return positional + _file_arguments(operation, names), query, []
    schema = schemas[operation.model]
    names.models.add(operation.model)
    required = set(schema.get("required", ()))
    sent = []
    for name, given in schema["properties"].items():
        kind = type_of(given, names)
        if name in required:
            sent.append(f"{_argument(name)}: {kind}")
        else:
            names.others |= {"UNSET", "UnsetType"}
            sent.append(f"{_argument(name)}: {_or_unset(kind)}")
    return positional, query, sent


def _file_arguments(operation: Operation, names: Names) -> list[str]:
    types = operation.media_types
    if not types:
        return []
    if len(types) == 1:
        return ["content: bytes"]
    names.others.add("Literal")
    choice = ", ".join(json.dumps(each) for each in types)
    return ["content: bytes", f"media_type: Literal[{choice}] = {json.dumps(types[0])}"]


def _argument(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _call(
    operation: Operation, query: Mapping[str, str], sent: Sequence[str], answer: str, names: Names
) -> str:
    path = operation.path
    if "{" in path:
        names.others.add("path_part")
        path = "f" + json.dumps(path.replace("{", "{path_part(").replace("}", ")}"))
    else:
        path = json.dumps(path)
    kind = "None" if answer == "None" else answer
    parts = [json.dumps(operation.method), path, kind]
    if query:
        pairs = ", ".join(f'"{name}": {_argument(name)}' for name in query)
        parts.append(f"query={{{pairs}}}")
    types = operation.media_types
    if operation.model is not None:
        arguments = [each.partition(":")[0] for each in sent]
        fields = ", ".join(f"{each.rstrip('_')}={each}" for each in arguments)
        parts.append(f"body={identifier(operation.model)}({fields})")
    elif types:
        media_type = "media_type" if len(types) > 1 else json.dumps(types[0])
        parts += ["body=content", f"media_type={media_type}"]
    returned = "" if answer == "None" else "return "
    return f"        {returned}self.call({', '.join(parts)})\n"


def files(description: Schema) -> dict[str, str]:
    """Return the code of the client by file."""
    schemas: Mapping[str, Schema] = description["components"]["schemas"]
    offered = operations(description)
    tags = list(dict.fromkeys(operation.tag for operation in offered))
    reach = {
        tag: reached(schemas, refs([o.spoken() for o in offered if o.tag == tag])) for tag in tags
    }
    homes = {
        name: _home(name, reach)
        for name in schemas
        if any(name in found for found in reach.values())
    }
    sent = reached(schemas, refs([o.given.get("requestBody", {}) for o in offered]))
    made = {}
    for home in dict.fromkeys(homes.values()):
        chosen = [name for name in schemas if homes.get(name) == home]
        made[f"{home}_types.py"] = _types(home, chosen, schemas, homes, sent)
    for tag in tags:
        made[f"{tag}.py"] = _methods(tag, [o for o in offered if o.tag == tag], schemas, homes)
    made["__init__.py"] = _client(tags)
    return made


def _home(name: str, reach: Mapping[str, set[str]]) -> str:
    users = [tag for tag, found in reach.items() if name in found]
    return users[0] if len(users) == 1 else "shared"


def _types(
    home: str,
    chosen: Sequence[str],
    schemas: Mapping[str, Schema],
    homes: Mapping[str, str],
    sent: set[str],
) -> str:
    names = Names()
    code = {name: model(name, schemas[name], names, sent=name in sent) for name in chosen}
    ordered = _ordered(code, schemas)
    title = "Types that several parts of the API use" if home == "shared" else f"Types of {home}"
    return (
        _HEAD.format(title=title)
        + _imports(names, {n for n in names.models if n not in code}, homes)
        + "\n\n".join(code[name] for name in ordered)
    )


def _ordered(code: Mapping[str, str], schemas: Mapping[str, Schema]) -> list[str]:
    """Return the names so that each comes after those it uses."""
    done: list[str] = []

    def add(name: str) -> None:
        if name in done or name not in code:
            return
        for other in sorted(set(refs(schemas[name])) - {name}):
            add(other)
        done.append(name)

    for name in sorted(code):
        add(name)
    return done


def _imports(names: Names, models: set[str], homes: Mapping[str, str]) -> str:
    lines = []
    if "datetime" in names.others:
        lines.append("from datetime import datetime")
    if typed := sorted(names.others & {"Literal", "TypeAlias"}):
        lines.append(f"from typing import {', '.join(typed)}")
    if structs := sorted(names.others & {"Struct", "UNSET", "UnsetType", "field"}):
        lines.append(f"from msgspec import {', '.join(structs)}")
    for home in sorted({homes[name] for name in models}):
        found = ", ".join(sorted(identifier(name) for name in models if homes[name] == home))
        lines.append(f"from ctiscraper.client.{home}_types import {found}")
    return "\n" + "\n".join(lines) + "\n\n\n" if lines else "\n\n"


def _methods(
    tag: str, offered: Sequence[Operation], schemas: Mapping[str, Schema], homes: Mapping[str, str]
) -> str:
    names = Names()
    methods = "\n".join(method_of(operation, schemas, names) for operation in offered)
    transport = "Transport, path_part" if "path_part" in names.others else "Transport"
    used = {name for name in names.models if name in homes}
    head = _imports(names, used, homes).rstrip("\n")
    return (
        _HEAD.format(title=f"What the API offers of {tag}")
        + f"{head}\nfrom ctiscraper.client.transport import {transport}\n\n\n"
        + f'class {_class_of(tag)}(Transport):\n    """The operations of {tag}."""\n\n{methods}'
    )


def _class_of(tag: str) -> str:
    return "".join(part.title() for part in tag.replace("-", "_").split("_")) + "Calls"


def _client(tags: Sequence[str]) -> str:
    imports = "\n".join(
        f"from ctiscraper.client.{tag} import {_class_of(tag)}" for tag in sorted(tags)
    )
    bases = "".join(f"    {_class_of(tag)},\n" for tag in tags)
    return f'''"""A typed client of the API: `Client("https://cti.example", "cti_…")`."""

{imports}
from ctiscraper.client.transport import ApiError, UnreachableError

__all__ = ["ApiError", "Client", "UnreachableError"]


class Client(
{bases}):
    """All that the API offers, each operation by its name."""
'''


async def _description() -> Schema:
    return create_app(WebServices(database=Database(""))).openapi()


def write(folder: Path) -> None:
    """Write the client's files into a folder, in the form of the house."""
    for name, code in files(asyncio.run(_description())).items():
        (folder / name).write_text(code, "utf-8")
    settings = ["--config", str(Path(__file__).parents[3] / "pyproject.toml"), str(folder)]
    for step in (["check", "--fix", "--unsafe-fixes", "--exit-zero", "--quiet"], ["format", "-q"]):
        command = [sys.executable, "-m", "ruff", *step, *settings]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own tool


if __name__ == "__main__":
    write(Path(sys.argv[1]))
