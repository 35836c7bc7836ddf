"""Makes the Python client of the API's own description: its operations, in step and async, and its models.

python -m glasshouse_collector.client_code
"""

import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from glasshouse_collector.api import create_app
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.registry import available, build
from glasshouse_collector.core.status import Status

CLIENT: Final = Path(__file__).parents[2] / "instrumentation" / "glasshouse" / "client"
_PREFIX: Final = "/api/v1/"
_EVENTS: Final = "text/event-stream"
_EVERYWHERE: Final = frozenset({"project", "format"})
"""Parameters of every question: the client has the first once, and `export` the second."""
_OF_OTHERS: Final = frozenset({"/api/v1/alerts/webhook", "/api/v1/ingest"})
"""Where programs of others send what they have; nobody calls it."""
_ROW: Final = re.compile(r"ies$|s$")
_WIDTH: Final = 100
_SIMPLE: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

Schema = Mapping[str, Any]


def description() -> Schema:
    """Return the OpenAPI document of the API with every extension that is installed."""
    services = Services()
    services.provide(Status, Status())
    services.provide(Metrics, Metrics())
    services.provide(MetricsPage, MetricsPage())
    extensions = [build("extensions", name, {}, services) for name in available("extensions")]
    routes = [extension.routes for extension in extensions if extension.routes is not None]
    return create_app(services, extensions_routes=routes).openapi()


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    written: str
    place: str
    required: bool
    type: str
    about: str

    @property
    def declared(self) -> str:
        return f"{self.name}: {self.type}" if self.required else f"{self.name}: {self.type} | None = None"


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    method: str
    path: str
    summary: str
    arguments: list[_Argument]
    answer: str
    rows: tuple[str, str] | None
    """Of an answer with pages: its list, and the type of a row."""
    events: bool


def files(document: Schema) -> dict[str, str]:
    """Return the text of each file of the client that is made."""
    operations = sorted(_operations(document), key=lambda it: it.name)
    return {
        "models.py": _models(document),
        "operations.py": _written(operations, "Operations", asynchronous=False),
        "async_operations.py": _written(operations, "AsyncOperations", asynchronous=True),
    }


def _operations(document: Schema) -> Iterable[_Operation]:
    for path, methods in document["paths"].items():
        if not path.startswith(_PREFIX) or path in _OF_OTHERS:
            continue
        for method, described in methods.items():
            arguments = [*_parameters(described), *_fields(document, described)]
            arguments.sort(key=lambda it: not it.required)
            success = next(it for status, it in described["responses"].items() if status.startswith("2"))
            content = success.get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            yield _Operation(
                described["operationId"],
                method.upper(),
                path,
                described["summary"],
                arguments,
                _type(schema) if schema else "None",
                _rows(document, schema, arguments),
                _EVENTS in content,
            )


def _parameters(described: Schema) -> Iterable[_Argument]:
    for it in described.get("parameters", []):
        if it["in"] not in {"path", "query"} or it["name"] in _EVERYWHERE:
            continue
        about = it.get("description")
        yield _argument(it["name"], it["in"], it.get("required", False), it["schema"], about)


def _fields(document: Schema, described: Schema) -> Iterable[_Argument]:
    schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    body = _resolved(document, schema)
    required = set(body.get("required", []))
    for name, field in body.get("properties", {}).items():
        yield _argument(name, "body", name in required, field, field.get("description"))


def _argument(name: str, place: str, required: bool, schema: Schema, about: str | None) -> _Argument:
    own = f"{name}_" if keyword.iskeyword(name) else re.sub(r"\W", "_", name)
    kind = _taken(_type(schema).removesuffix(" | None"))
    return _Argument(own, name, place, required, kind, " ".join((about or "").split()))


def _rows(document: Schema, schema: Schema, arguments: list[_Argument]) -> tuple[str, str] | None:
    answer = _resolved(document, schema)
    pages = "next_cursor" in answer.get("properties", {}) and any(it.name == "cursor" for it in arguments)
    if not pages:
        return None
    for name, field in answer["properties"].items():
        if field.get("type") == "array":
            return name, _type(field["items"])
    return None


def _resolved(document: Schema, schema: Schema) -> Schema:
    if "$ref" in schema:
        named: Schema = document["components"]["schemas"][_last(schema["$ref"])]
        return named
    return schema


def _type(schema: Schema, of: str = "models.") -> str:
    if "$ref" in schema:
        return f"{of}{_last(schema['$ref'])}"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each, of) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(repr(value) for value in values)}]"
    if schema.get("type") == "array":
        return f"list[{_type(schema.get('items', {}), of)}]"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {_type(values, of) if isinstance(values, Mapping) else 'Any'}]"
    return _SIMPLE.get(schema.get("type", ""), "Any")


def _taken(kind: str) -> str:
    """Return a type as an argument has it: any sequence and mapping is as good as another."""
    return kind.replace("list[", "Sequence[").replace("dict[", "Mapping[")


def _last(reference: str) -> str:
    return re.sub(r"\W", "_", reference.rpartition("/")[2])


def _models(document: Schema) -> str:
    schemas = document["components"]["schemas"]
    parts = ['"""What the API answers; made of its description by glasshouse_collector.client_code."""\n']
    parts.append("from typing import Any, Literal, NotRequired, TypedDict\n")
    for name, schema in sorted(schemas.items()):
        parts.append(_model(_last(name), schema))
    return "\n".join(parts)


def _model(name: str, schema: Schema) -> str:
    if "properties" not in schema:
        return f'{name} = {_quoted(_type(schema, ""))}\n"""{_sentence(schema, name)}"""\n'
    required = set(schema.get("required", []))
    fields = []
    for field, its in schema["properties"].items():
        # What has a default is always answered; it is optional only in what is asked.
        present = field in required or "default" in its
        kind = _type(its, "")
        fields.append((field, kind if present else f"NotRequired[{kind}]", its.get("description")))
    if not all(field.isidentifier() and not keyword.iskeyword(field) for field, _, _ in fields):
        listed = ", ".join(f"{field!r}: {_quoted(kind)}" for field, kind, _ in fields)
        return f'{name} = TypedDict({name!r}, {{{listed}}})\n"""{_sentence(schema, name)}"""\n'
    lines = [f"class {name}(TypedDict):", _docstring(_sentence(schema, name), "    "), ""]
    for field, kind, about in fields:
        lines.append(f"    {field}: {_quoted(kind)}")
        if about:
            lines.append(_docstring(" ".join(about.split()), "    "))
    return "\n".join([*lines, ""])


def _quoted(kind: str) -> str:
    """Return a type as text where it names a model, which may stand further down."""
    named = re.search(r"\b(?!Any|Literal|NotRequired|None)[A-Z]\w*", kind)
    return f'"{kind}"' if named and "'" not in kind else kind


def _sentence(schema: Schema, name: str) -> str:
    text = " ".join(schema.get("description", name).split())
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _written(operations: list[_Operation], own: str, *, asynchronous: bool) -> str:
    iterator = "AsyncIterator" if asynchronous else "Iterator"
    head = f'''"""What can be asked; made of the API's description by glasshouse_collector.client_code."""

from collections.abc import {iterator}, Mapping, Sequence
from typing import Any, Literal

from glasshouse.client import models
from glasshouse.client.calls import Call
from glasshouse.client.events import Event


class {own}:
    """Every operation of the API. `_ask`, `_each` and `_listen` are the client's own."""

    {"async " if asynchronous else ""}def _ask(self, call: Call) -> Any:
        raise NotImplementedError

    def _each(self, call: Call, rows: str) -> {iterator}[Any]:
        raise NotImplementedError

    def _listen(self, call: Call) -> {iterator}[Event]:
        raise NotImplementedError
'''
    methods = [text for it in operations for text in _methods(it, iterator, asynchronous=asynchronous)]
    return "\n".join([head, *methods])


def _methods(it: _Operation, iterator: str, *, asynchronous: bool) -> Iterable[str]:
    word, wait = ("async ", "await ") if asynchronous else ("", "")
    if it.events:
        yield _method(it, it.name, f"{iterator}[Event]", "self._listen({call})", "", it.arguments)
        return
    yield _method(it, it.name, it.answer, f"{wait}self._ask({{call}})", word, it.arguments)
    if it.rows:
        rows, row = it.rows
        arguments = [each for each in it.arguments if each.name != "cursor"]
        ask = f"self._each({{call}}, {rows!r})"
        yield _method(it, f"each_{_one(it.name)}", f"{iterator}[{row}]", ask, "", arguments)


def _one(name: str) -> str:
    """Return the singular: logs, log; queries, query."""
    return _ROW.sub(lambda end: "y" if end[0] == "ies" else "", name)


def _method(  # noqa: PLR0913, PLR0917  (the parts of one method)
    it: _Operation, name: str, answer: str, ask: str, word: str, arguments: list[_Argument]
) -> str:
    positional = [each for each in arguments if each.place == "path"]
    rest = [each for each in arguments if each.place != "path"]
    declared = "".join(f", {each.declared}" for each in positional)
    declared += (", *" + "".join(f", {each.declared}" for each in rest)) if rest else ""
    summary = it.summary if name == it.name else f"{it.summary}, page after page"
    lines = [f"    {word}def {name}(self{declared}) -> {answer}:", _about(summary, arguments)]
    call = f'Call("{it.method}", "{it.path}"'
    for place, field in (("path", "names"), ("query", "parameters"), ("body", "body")):
        given = [each for each in arguments if each.place == place]
        if given:
            call += f", {field}={{{', '.join(f'{each.written!r}: {each.name}' for each in given)}}}"
    asked = ask.format(call=f"{call})")
    if answer == "None":
        lines.append(f"        {asked}")
    elif answer == "Any" or "_each" in asked or "_listen" in asked:
        lines.append(f"        return {asked}")
    else:
        lines += [f"        answer: {answer} = {asked}", "        return answer"]
    return "\n".join([*lines, ""])


def _about(summary: str, arguments: list[_Argument]) -> str:
    told = [it for it in arguments if it.about]
    if not told:
        return f'        """{summary}."""'
    lines = [f'        """{summary}.', ""]
    for it in told:
        first, then = " " * 8, " " * 12
        lines += textwrap.wrap(f"{it.name}: {it.about}", _WIDTH, initial_indent=first, subsequent_indent=then)
    return _raw("\n".join([*lines, '        """']))


def _docstring(text: str, indent: str) -> str:
    wrapped = textwrap.wrap(text, _WIDTH - len(indent))
    if len(wrapped) == 1:
        return _raw(f'{indent}"""{wrapped[0]}"""')
    more = [indent + line for line in wrapped[1:]]
    return _raw("\n".join([f'{indent}"""{wrapped[0]}', *more, f'{indent}"""']))


def _raw(docstring: str) -> str:
    return docstring.replace('"""', 'r"""', 1) if "\\" in docstring else docstring


def main() -> None:
    """Write the files, formatted as the rest is."""
    for name, text in files(description()).items():
        path = CLIENT / name
        path.write_text(text)
    formatted = [str(CLIENT / name) for name in ("models.py", "operations.py", "async_operations.py")]
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--quiet", "--fix", *formatted], check=False)  # noqa: S603  (our own files)
    subprocess.run([*ruff, "format", "--quiet", *formatted], check=True)  # noqa: S603  (our own files)


if __name__ == "__main__":
    main()
