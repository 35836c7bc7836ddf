"""Reads the log records of the traces of an analysis, each as what it says rather than with which values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from glasshouse_collector.insights.spans import (
    SEARCHED_AROUND,
    Flags,
    Names,
    Places,
    Spans,
    coded,
    sample,
)
from glasshouse_collector.insights.windows import Question, Window
from glasshouse_collector.patterns.masking import mask
from glasshouse_collector.patterns.mining import mine
from glasshouse_collector.patterns.shapes import LINE, SHAPE
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

MOST_SHAPES: Final = 20_000
ERROR_LEVEL: Final = 17
"""The lowest severity number that is an error."""
_READ: Final = f"""
SELECT any({LINE}) AS Line, groupArray(cityHash64(TraceId, SpanId)) AS Ids,
    groupArray(toUnixTimestamp64Nano(Timestamp)) AS Times, groupArray(SeverityNumber) AS Severities
FROM otel_logs WHERE {{when}} GROUP BY cityHash64({SHAPE}) ORDER BY count() DESC LIMIT {MOST_SHAPES}
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
    found = store.query_arrow(_READ.format(when=_when(question, spans)), limits=limits).combine_chunks()
    ids, times, severity = (_flat(found, name) for name in ("Ids", "Times", "Severities"))
    shape = np.repeat(np.arange(len(found)), [len(each) for each in found.column("Ids")])
    rows = _rows(spans, ids)
    wanted = (rows >= 0) & _first_of_each(ids, times, shape)
    template, templates = coded(pa.array(_templates(found.column("Line").to_pylist()), pa.string()))
    statement, statements = coded(pa.array([statement_of(each) for each in templates], pa.string()))
    shape = shape[wanted]
    return Records(
        span=rows[wanted],
        severity=severity[wanted].astype(np.int32),
        template=Names(template[shape], templates),
        statement=Names(statement[template[shape]], statements),
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


def record_times(windows: Sequence[Window], around: int) -> str:
    """Return the condition that a log record's time is within a window, or so many nanoseconds off."""
    return " OR ".join(log_times(str(window.start - around), str(window.end + around)) for window in windows)


def _when(question: Question, spans: Spans) -> str:
    windows = [((question.incident,), spans.one_in[0]), (question.baselines, spans.one_in[1])]
    return " OR ".join(
        f"(({record_times(which, SEARCHED_AROUND)}) AND {sample(every)})" for which, every in windows if which
    )


def _rows(spans: Spans, ids: npt.NDArray[Any]) -> Places:
    """Return the row of the span of each id, -1 where it is none of them."""
    if not len(spans):
        return np.full(len(ids), -1, np.int32)
    order = np.argsort(spans.ids)
    at = np.minimum(np.searchsorted(spans.ids, ids, sorter=order), len(order) - 1)
    rows = order[at]
    return np.where(spans.ids[rows] == ids, rows, -1).astype(np.int32)


def _flat(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """Return what the lists of a column hold, one after the other."""
    column = table.column(name).combine_chunks()
    flat: npt.NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return flat


def _first_of_each(*columns: npt.NDArray[Any]) -> Flags:
    """Tell which rows are the first of all with the same values: a record may have been sent twice."""
    order = np.lexsort(columns)
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for column in columns:
        same &= column[order][1:] == column[order][:-1]
    first = np.ones(len(order), np.bool_)
    first[order[1:][same]] = False
    return first


def _templates(lines: list[str]) -> list[str]:
    """Return the template of each line."""
    masked = [mask(said(line)) for line in lines]
    mined = mine(masked)
    return [mined[line] for line in masked]
