"""Log records that say what evidence tells of: their ids, by which anybody can open them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

import numpy as np

from glasshouse_collector.insights.findings import MOST_SHOWN, Evidence, EvidenceKind, RootCause
from glasshouse_collector.insights.records import ERROR_LEVEL, Records, record_times
from glasshouse_collector.insights.spans import SEARCHED_AROUND
from glasshouse_collector.insights.windows import Question
from glasshouse_collector.patterns.masking import WILDCARD, mask
from glasshouse_collector.patterns.mining import MOST_WORDS
from glasshouse_collector.patterns.shapes import LINE, SHAPE
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_CAUSES: Final = 3
"""Causes, the first ones, whose evidence gets log records."""
_MOST_READ: Final = 10_000
_FAILS: Final = frozenset({EvidenceKind.ERRORS, EvidenceKind.EXCEPTION})
_READ: Final = f"""
SELECT TraceId, toString(ServiceName) AS Service, SeverityNumber AS Severity, {LINE} AS Line,
    toUnixTimestamp64Nano(Timestamp) AS Time, toString(BatchId) AS Batch, BatchRow AS Row
FROM otel_logs WHERE TraceId IN {{{{traces:Array(String)}}}} AND ({{when}})
ORDER BY Timestamp, BatchId, BatchRow
LIMIT {MOST_SHOWN} BY TraceId, ServiceName, SeverityNumber, cityHash64({SHAPE}) LIMIT {_MOST_READ}
"""  # noqa: S608  (constants; trace ids are a parameter)

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Record:
    """One log record of a trace; `words` are those of its masked line."""

    id: str
    severity: int
    words: Words


_Place = tuple[str, str]
"""A trace and a service."""


def with_log_records(
    store: ProjectStore,
    question: Question,
    records: Records,
    causes: Sequence[RootCause],
    limits: QueryLimits,
) -> list[RootCause]:
    """Return the causes, evidence of what is said, or fails, with records; raises `EngineFailure`.

    A record is of the evidence's traces and service. An exception is shown by records of errors, a line by
    those that say it.
    """
    first, others = causes[:MOST_CAUSES], causes[MOST_CAUSES:]
    shown = [each for cause in first for each in cause.evidence if _is_told(each)]
    if not shown:
        return list(causes)
    found = _read(store, question, shown, limits)
    told = [
        replace(cause, evidence=tuple(_with_ids(each, records, found) for each in cause.evidence))
        for cause in first
    ]
    return [*told, *others]


def _is_told(evidence: Evidence) -> bool:
    said = evidence.kind is EvidenceKind.LOG_PATTERN and evidence.template
    return bool(said or evidence.kind in _FAILS) and bool(evidence.trace_ids)


def _read(
    store: ProjectStore, question: Question, shown: Sequence[Evidence], limits: QueryLimits
) -> Mapping[_Place, list[_Record]]:
    """Return the records of the traces in the incident, the earlier first; few of many that are alike."""
    traces = sorted({trace for each in shown for trace in each.trace_ids})
    when = record_times((question.incident,), SEARCHED_AROUND)
    rows = store.query_arrow(_READ.format(when=when), {"traces": str(traces)}, limits=limits)
    found: dict[_Place, list[_Record]] = defaultdict(list)
    for row in rows.to_pylist():
        place = row["TraceId"], row["Service"]
        address = f"{row['Time']:x}.{row['Batch']}.{row['Row']:x}"
        found[place].append(_Record(address, row["Severity"], _words(mask(row["Line"]))))
    return found


def _words(text: str) -> Words:
    return tuple(text.split()[:MOST_WORDS])


def _with_ids(evidence: Evidence, records: Records, found: Mapping[_Place, list[_Record]]) -> Evidence:
    if not _is_told(evidence):
        return evidence
    templates = _templates(records, evidence.template)
    fails = evidence.kind in _FAILS
    by_trace = [
        [
            record.id
            for record in found.get((trace, evidence.service), ())
            if (record.severity >= ERROR_LEVEL if fails else _says(record.words, templates))
        ]
        for trace in evidence.trace_ids
    ]
    # one of each trace, before there is a second one of any
    ids = [each for turn in zip_longest(*by_trace) for each in turn if each is not None]
    return replace(evidence, log_ids=tuple(ids[:MOST_SHOWN]))


def _templates(records: Records, told: str) -> list[Words]:
    """Return the templates that evidence may mean: `told` is one, or the statement of some."""
    statement = [code for code, text in enumerate(records.statement.texts) if text == told]
    codes = np.unique(records.template.codes[np.isin(records.statement.codes, statement)])
    return [_words(text) for text in {told, *(records.template.texts[code] for code in codes)}]


def _says(words: Words, templates: Iterable[Words]) -> bool:
    return any(
        len(words) == len(template)
        and all(there in {WILDCARD, here} for here, there in zip(words, template, strict=True))
        for template in templates
    )
