"""Reads the log records of the traces of an analysis, each as what it says rather than with which values."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson
import pyarrow as pa

from glasshouse_collector.insights.spans import SEARCHED_AROUND, Names, Places, Spans, coded, sample, times
from glasshouse_collector.insights.windows import Question
from glasshouse_collector.patterns.masking import mask
from glasshouse_collector.patterns.mining import mine
from glasshouse_collector.patterns.shapes import LINE, SHAPE
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_SHAPES: Final = 20_000
ERROR_LEVEL: Final = 17
"""The lowest severity number that is an error."""
_READ: Final = f"""
SELECT cityHash64(TraceId, SpanId) AS Id, cityHash64({SHAPE}) AS Shape,
    toUnixTimestamp64Nano(Timestamp) AS Time, SeverityNumber AS Severity
FROM otel_logs WHERE {{when}} LIMIT 1 BY Id, Shape, Time
"""  # noqa: S608  (constants)
_LINES: Final = f"""
SELECT cityHash64({SHAPE}) AS Shape, any({LINE}) AS Line
FROM otel_logs WHERE {{when}} GROUP BY Shape ORDER BY count() DESC LIMIT {MOST_SHAPES}
"""  # noqa: S608  (constants)
_OPEN, _CLOSE = "[({", "])}"
_BEFORE_VALUES: Final = ":=\uff1a"
_MESSAGES: Final = ("message", "msg", "event", "body", "error")
_LEVELS: Final = ("level", "severity", "lvl")
_LOGFMT: Final = re.compile(r"(?:^|\s)(?:msg|message)=")
_LOGFMT_FIELD: Final = re.compile(r'(?:^|\s)(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))')
_JSON_FIELD: Final = re.compile(r'"(\w+)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_MASKED: Final = re.compile(r"\S*<[a-z*]+>\S*")


@dataclass(frozen=True, slots=True)
class Records:
    """Columns of equal length, a row a log record of one of the spans.

    `span` is the row of its span; `template` what the line says with masks for values, and `statement` the
    same without any text that follows a name and a colon or an equals sign, hence the same for each record
    of one statement of a program, mostly.
    """

    span: Places
    severity: Places
    template: Names
    statement: Names

    def __len__(self) -> int:
        return len(self.span)


def read_records(store: ProjectStore, question: Question, spans: Spans, limits: QueryLimits) -> Records:
    """Return the log records whose span is among `spans`, each once; raises `EngineFailure`."""
    when = _when(question, spans)
    table = store.query_arrow(_READ.format(when=when), limits=limits)
    lines = store.query_arrow(_LINES.format(when=when), limits=limits)
    rows = _rows(spans, table.column("Id").to_numpy())
    linked = rows >= 0
    shapes = table.column("Shape").to_numpy()[linked]
    shape, templates = _templates(shapes, lines)
    statements = [statement_of(template) for template in templates]
    statement, statement_texts = coded(pa.array(statements, pa.string()))
    return Records(
        span=rows[linked],
        severity=table.column("Severity").to_numpy().astype(np.int32)[linked],
        template=Names(shape, templates),
        statement=Names(statement[shape] if len(statement) else shape, statement_texts),
    )


def said(line: str) -> str:
    """Return the message of a line that is JSON or logfmt, with its level; other lines as they are.

    >>> said('{"level": "error", "msg": "card declined", "order": 17}')
    'error card declined'
    """
    if line.startswith("{"):
        try:
            fields = orjson.loads(line)
        except ValueError:  # a long line is cut off; its beginning may be read all the same
            fields = dict(_JSON_FIELD.findall(line))
    elif _LOGFMT.search(line):
        fields = {name: quoted or plain for name, quoted, plain in _LOGFMT_FIELD.findall(line)}
    else:
        return line
    message = next((fields[name] for name in _MESSAGES if fields.get(name)), None)
    level = next((fields[name] for name in _LEVELS if fields.get(name)), "")
    return f"{level} {message}".strip() if isinstance(message, str) else line


def statement_of(template: str) -> str:
    """Return what stays the same of a template whatever values a program puts into it.

    In brackets that is what stands before a colon or an equals sign.

    >>> statement_of("<timestamp> INFO Price#<number> [query][Query price][Type: [ZhiDa, GaoTie]]")
    'INFO|query|Query price|Type'
    """
    parts: list[str] = []
    part: list[str] = []
    depth, cut = 0, False
    for letter in template:
        if letter in _OPEN or letter in _CLOSE:
            opens = letter in _OPEN
            if depth == (0 if opens else 1):
                parts.append("".join(part))
                part, cut = [], False
            depth = depth + 1 if opens else max(0, depth - 1)
        elif letter == "=" or (depth and letter in _BEFORE_VALUES):
            cut = True
        elif cut and not depth and letter == " ":
            part.append(letter)
            cut = False
        elif depth <= 1 and not cut:
            part.append(letter)
    parts.append("".join(part))
    kept = (" ".join(_MASKED.sub(" ", part).split()) for part in parts)
    return "|".join(part for part in kept if part) or template


def _when(question: Question, spans: Spans) -> str:
    windows = [((question.incident,), spans.one_in[0]), (question.baselines, spans.one_in[1])]
    return " OR ".join(
        f"(({times(which, SEARCHED_AROUND)}) AND {sample(every)})" for which, every in windows if which
    )


def _rows(spans: Spans, ids: np.ndarray) -> Places:
    """Return the row of the span of each id, -1 where it is none of them."""
    if not len(spans):
        return np.full(len(ids), -1, np.int32)
    order = np.argsort(spans.ids)
    at = np.minimum(np.searchsorted(spans.ids, ids, sorter=order), len(order) - 1)
    rows = order[at]
    return np.where(spans.ids[rows] == ids, rows, -1).astype(np.int32)


def _templates(shapes: np.ndarray, lines: pa.Table) -> tuple[Places, tuple[str, ...]]:
    """Return each record's template; those of shapes too rare to be read say nothing (the empty template)."""
    masked = [mask(said(line)) for line in lines.column("Line").to_pylist()]
    mined = mine(masked)
    known = lines.column("Shape").to_numpy()
    texts, place = np.unique(np.array(["", *(mined[line] for line in masked)], object), return_inverse=True)
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known, shapes, sorter=order), max(len(known) - 1, 0))
    if not len(known):
        return np.zeros(len(shapes), np.int32), ("",)
    rows = order[at]
    found = known[rows] == shapes
    return np.where(found, place[1:][rows], place[0]).astype(np.int32), tuple(texts.tolist())
