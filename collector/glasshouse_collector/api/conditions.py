"""Conditions of a question, as SQL with parameters: nothing that was sent becomes part of a statement."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.store.engine import quoted

MOST_CONDITIONS: Final = 20
MOST_TEXT: Final = 1000
_ATTRIBUTE: Final = re.compile(
    r"(?P<key>[^=!<>]+?)\s*(?P<operator>!=|<=|>=|=|<|>)\s*(?P<value>.*)", re.DOTALL
)
_RESOURCE: Final = "resource."


@dataclass(slots=True)
class Conditions:
    """Conditions that all have to hold, and the values of their parameters."""

    terms: list[str] = field(default_factory=list)
    values: dict[str, str | int | float] = field(default_factory=dict)

    def value(self, value: str | float, kind: str) -> str:
        """Take in a value and return what stands for it in SQL; `kind` is a ClickHouse type."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"

    def add(self, term: str) -> None:
        """Demand one more."""
        self.terms.append(term)

    def one_of(self, expression: str, values: Sequence[str]) -> None:
        """Demand that a text is one of these; any, where there are none."""
        if values:
            written = ", ".join(self.value(value, "String") for value in values)
            self.add(f"{expression} IN ({written})")

    @property
    def sql(self) -> str:
        """All of them, for WHERE."""
        return " AND ".join(f"({term})" for term in self.terms) or "1"


def with_attributes(conditions: Conditions, written: Iterable[str], own: str) -> None:
    """Demand what is written of attributes: `key=value`, `key!=value`, `key>5`, `key` (is there), `!key`.

    `own` is the column of the record's own attributes; a key after `resource.` is the resource's. A
    comparison is of numbers, and holds for none where the value is no number. Raises `Problem`.
    """
    for number, text in enumerate(written):
        if number >= MOST_CONDITIONS:
            raise _wrong(f"up to {MOST_CONDITIONS} conditions are expected")
        _with_attribute(conditions, _bounded(text), own)


def _with_attribute(conditions: Conditions, text: str, own: str) -> None:
    match = _ATTRIBUTE.fullmatch(text)
    if match is None:
        key = text.removeprefix("!").strip()
        if set(key) & set("=<>"):
            raise _no_key()
        present = f"mapContains({_column(key, own)}, {conditions.value(_key(key), 'String')})"
        conditions.add(f"NOT {present}" if text.startswith("!") else present)
        return
    key, operator, value = match["key"].strip(), match["operator"], match["value"]
    found = f"{_column(key, own)}[{conditions.value(_key(key), 'String')}]"
    if operator in {"=", "!="}:
        conditions.add(f"{found} {operator} {conditions.value(value, 'String')}")
        return
    try:
        bound = conditions.value(float(value), "Float64")
    except ValueError:
        raise _wrong(f"{text!r}: a number is expected after {operator}") from None
    conditions.add(f"toFloat64OrNull({found}) {operator} {bound}")


def _column(key: str, own: str) -> str:
    return quoted("ResourceAttributes" if key.startswith(_RESOURCE) else own)


def _key(key: str) -> str:
    bare = key.removeprefix(_RESOURCE)
    if not bare:
        raise _no_key()
    return bare


def _no_key() -> Problem:
    return _wrong("a key is expected, such as in http.route=/cart, order.id, !order.id or retries>3")


def _bounded(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise _wrong(f"up to {MOST_TEXT} characters are expected")
    return text


def _wrong(expected: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"attribute: {expected}")
