"""Arithmetic between metrics: numbers, names, + - * / and brackets, and nothing else."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import numpy as np
import numpy.typing as npt

from glasshouse_collector.api.metrics.reading import Lines
from glasshouse_collector.api.metrics.steps import tidy
from glasshouse_collector.api.problems import Problem

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\d{1,15}(?:\.\d{1,15})?)|(?P<name>[a-z][a-z0-9_]{0,31})|(?P<sign>[-+*/()]))"
)
_DEEPEST: Final = 20
_SIGNS: Final = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}

Labels = tuple[tuple[str, str], ...]
Rows = dict[Labels, npt.NDArray[np.float64]]
Value = float | Rows


@dataclass(frozen=True, slots=True)
class Formula:
    """Steps of a stack machine: numbers, names and signs, each sign after its two values."""

    steps: list[float | str]
    names: list[str]


def parse(written: str, known: Collection[str]) -> Formula:
    """Return what is to be computed; a `Problem` says where it is no formula."""
    parser = _Parser(_tokens(written), known)
    parser.sum_of_terms(0)
    if parser.next:
        raise _wrong(f"nothing is expected at {parser.next!r}")
    names = sorted({step for step in parser.steps if isinstance(step, str) and step in known})
    if unused := sorted(set(known) - set(names)):
        raise _wrong(f"the query {unused[0]} is not in it")
    return Formula(parser.steps, names)


def computed(formula: Formula, read: Mapping[str, Lines]) -> Lines:
    """Return the formula's value each labels and step.

    Series meet by their labels: what is not on both sides is left out. One without labels meets every one of
    the other side. Where one side is unknown, or zero is divided by, the value is unknown.
    """
    stack: list[Value] = []
    for step in formula.steps:
        if isinstance(step, float):
            stack.append(step)
        elif step in read:
            lines = read[step]
            keys = [tuple(labels.items()) for labels in lines.labels]
            stack.append(dict(zip(keys, lines.values, strict=True)))
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(_combined(step, left, right))
    value = stack.pop()
    assert not isinstance(value, float)  # noqa: S101  (every formula has a name in it)
    ordered = sorted(value.items(), key=lambda row: (-_size(row[1]), row[0]))
    some = next(iter(read.values()))
    rows = [row for _, row in ordered]
    return Lines(
        [dict(labels) for labels, _ in ordered],
        tidy(np.vstack(rows)) if rows else np.empty((0, some.values.shape[1])),
        "",
        adds_up=False,
    )


class _Parser:
    """Recursive descent over tokens; writes the steps of a stack machine."""

    def __init__(self, tokens: list[str], known: Collection[str]) -> None:
        self.steps: list[float | str] = []
        self._tokens = tokens[::-1]
        self._known = known

    @property
    def next(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def sum_of_terms(self, depth: int) -> None:
        self._product(depth)
        while self.next in {"+", "-"}:
            sign = self._tokens.pop()
            self._product(depth)
            self.steps.append(sign)

    def _product(self, depth: int) -> None:
        self._factor(depth)
        while self.next in {"*", "/"}:
            sign = self._tokens.pop()
            self._factor(depth)
            self.steps.append(sign)

    def _factor(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise _wrong(f"at most {_DEEPEST} brackets within each other are expected")
        token = self._tokens.pop() if self._tokens else ""
        if token == "(":  # noqa: S105  (of a formula)
            self.sum_of_terms(depth + 1)
            if not self._tokens or self._tokens.pop() != ")":
                raise _wrong("a closing bracket is expected")
        elif token == "-":  # noqa: S105
            self.steps.append(0.0)
            self._factor(depth + 1)
            self.steps.append("-")
        elif token[:1].isdigit():
            self.steps.append(float(token))
        elif token in self._known:
            self.steps.append(token)
        else:
            expected = f"a number, a bracket, or one of the queries ({', '.join(sorted(self._known))})"
            raise _wrong(f"{expected} is expected {f'at {token!r}' if token else 'at the end'}")


def _tokens(written: str) -> list[str]:
    tokens, at = [], 0
    text = written.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(
                f"numbers, names of queries, + - * / and brackets are expected at {text[at : at + 10]!r}"
            )
        tokens.append(found[found.lastgroup or 0])
        at = found.end()
    return tokens


def _combined(sign: str, left: Value, right: Value) -> Value:
    operate = _SIGNS[sign]
    with np.errstate(all="ignore"):
        if isinstance(left, float) and isinstance(right, float):
            return float(operate(np.float64(left), np.float64(right)))
        if isinstance(left, float):
            assert not isinstance(right, float)  # noqa: S101
            return {labels: _known(operate(left, row)) for labels, row in right.items()}
        if isinstance(right, float):
            return {labels: _known(operate(row, right)) for labels, row in left.items()}
        return {
            labels: _known(operate(left[at], right[other])) for labels, at, other in _meeting(left, right)
        }


def _meeting(left: Rows, right: Rows) -> list[tuple[Labels, Labels, Labels]]:
    if () in right and len(right) == 1:
        return [(labels, labels, ()) for labels in left]
    if () in left and len(left) == 1:
        return [(labels, (), labels) for labels in right]
    return [(labels, labels, labels) for labels in left if labels in right]


def _known(row: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.isfinite(row), row, np.nan)


def _size(row: npt.NDArray[np.float64]) -> float:
    return float(np.nansum(np.abs(row)))


def _wrong(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"formula: {detail}")
