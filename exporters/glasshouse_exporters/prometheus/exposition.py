"""Writes series as Prometheus text or OpenMetrics.

A hundred thousand lines have to be written in a fraction of a second, so a row's lines are one format: the
layout's lines with places for labels and numbers, filled in one step.
Sources: Prometheus text format 0.0.4; OpenMetrics 1.0.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from glasshouse_exporters.prometheus.series import BlockSnapshot, Exemplars, FamilySnapshot, Kind, Numbers

_SUFFIX = {Kind.COUNTER: "_total", Kind.INFO: "_info"}
_TEXT_TYPE = {Kind.INFO: "gauge"}


def render(families: list[FamilySnapshot], *, openmetrics: bool) -> Iterator[bytes]:
    """Give each family that has series: HELP, TYPE and samples. Exemplars are for OpenMetrics alone."""
    for family in families:
        if any(block.labels for block in family.blocks):
            yield _head(family, openmetrics)
            for block in family.blocks:
                yield from _LINES[family.kind](family, block, openmetrics)


def number(value: float) -> str:
    """Write a number as both formats have it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))


def _head(family: FamilySnapshot, openmetrics: bool) -> bytes:
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    if openmetrics:
        name = family.name.removesuffix(_SUFFIX.get(family.kind, ""))
        text, kind = text.replace('"', '\\"'), family.kind.value
    else:
        name, kind = family.name, _TEXT_TYPE.get(family.kind, family.kind.value)
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()


def _single(family: FamilySnapshot, block: BlockSnapshot, openmetrics: bool) -> Iterator[bytes]:
    values = _numbers(block.values[:, 0])
    if openmetrics and block.exemplars is not None:
        line = f"{family.name}{{%b}} %a%b\n".encode()
        ends = [exemplars[0] for exemplars in _exemplars(block.exemplars)]
        yield b"".join([line % each for each in zip(block.labels, values, ends, strict=True)])
    else:
        line = f"{family.name}{{%b}} %a\n".encode()
        yield b"".join([line % each for each in zip(block.labels, values, strict=True)])


def _histogram(family: FamilySnapshot, block: BlockSnapshot, openmetrics: bool) -> Iterator[bytes]:
    if not block.labels:
        return
    counts = np.cumsum(block.values[:, :-1], axis=1).astype(np.int64).tolist()
    sums = _numbers(block.values[:, -1])
    exemplars = block.exemplars if openmetrics else None
    lines = _histogram_lines(family.name, block.bounds, with_exemplars=exemplars is not None)
    buckets = len(block.bounds) + 1
    step = 2 if exemplars is None else 3
    fields: list[Any] = [b""] * (step * buckets + 4)
    ends = [] if exemplars is None else _exemplars(exemplars)
    rendered = []
    for i, labels in enumerate(block.labels):
        fields[0 : step * buckets : step] = [labels] * buckets
        fields[1 : step * buckets : step] = counts[i]
        if exemplars is not None:
            fields[2 : step * buckets : step] = ends[i]
        fields[step * buckets :] = (labels, sums[i], labels, counts[i][-1])
        rendered.append(lines % tuple(fields))
    yield b"".join(rendered)


def _summary(family: FamilySnapshot, block: BlockSnapshot, openmetrics: bool) -> Iterator[bytes]:
    del openmetrics  # a summary has no exemplars
    quantiles = "".join(f'{family.name}{{%b,quantile="{number(at)}"}} %a\n' for at in block.bounds)
    lines = f"{quantiles}{family.name}_sum{{%b}} %a\n{family.name}_count{{%b}} %d\n".encode()
    counts = block.values[:, -1].astype(np.int64).tolist()
    numbers = [_numbers(column) for column in block.values[:, :-1].T]
    for labels, count, values in zip(block.labels, counts, zip(*numbers, strict=True), strict=True):
        yield lines % (*(field for value in values for field in (labels, value)), labels, count)


def _histogram_lines(name: str, bounds: tuple[float, ...], *, with_exemplars: bool) -> bytes:
    """Return the format of one row: a place for labels, a number and perhaps an exemplar in each line."""
    end = "%b" if with_exemplars else ""
    buckets = "".join(f'{name}_bucket{{%b,le="{number(bound)}"}} %d{end}\n' for bound in (*bounds, math.inf))
    return f"{buckets}{name}_sum{{%b}} %a\n{name}_count{{%b}} %d\n".encode()


class _Word:
    """What is no number to Python's `repr` as both formats write it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _numbers(values: Numbers) -> list[Any]:
    """Return values for `%a`."""
    numbers: list[Any] = values.tolist()
    for i in np.flatnonzero(~np.isfinite(values)):
        numbers[i] = _Word(number(numbers[i]))
    return numbers


def _exemplars(exemplars: Exemplars) -> list[list[bytes]]:
    """Return the ends of lines, row by row and bucket by bucket; empty where there is no exemplar."""
    count, buckets = exemplars.shape
    flat = exemplars.reshape(-1)
    there = np.flatnonzero(flat["time"])
    ends = [b""] * (count * buckets)
    found = flat[there]
    values = _numbers(found["value"])
    for i, (time, _value, trace_id, span_id), value in zip(
        there.tolist(), found.tolist(), values, strict=True
    ):
        ends[i] = b' # {trace_id="%b",span_id="%b"} %a %.3f' % (trace_id, span_id, value, time / 1e9)
    return [ends[i : i + buckets] for i in range(0, len(ends), buckets)]


_LINES: dict[Kind, Callable[[FamilySnapshot, BlockSnapshot, bool], Iterator[bytes]]] = {
    Kind.COUNTER: _single,
    Kind.GAUGE: _single,
    Kind.INFO: _single,
    Kind.HISTOGRAM: _histogram,
    Kind.SUMMARY: _summary,
}
