"""Holds one trace against its normal siblings."""

import time
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from glasshouse_collector.insights.trace.columns import SpanColumns, columns_of
from glasshouse_collector.insights.trace.findings import (
    JudgedSpan,
    SiblingTraces,
    SpanFinding,
    TraceExplanation,
)
from glasshouse_collector.insights.trace.judging import (
    Judged,
    duration_text,
    extra_calls,
    findings_of,
    missing_calls,
)
from glasshouse_collector.insights.trace.lines import compare_lines
from glasshouse_collector.insights.trace.reading import (
    ENOUGH,
    OwnTrace,
    ReadSiblings,
    Root,
    read_own,
    read_siblings,
)
from glasshouse_collector.insights.trace.usual import HIGH, usual_of
from glasshouse_collector.insights.windows import SECOND
from glasshouse_collector.store import ProjectStore, QueryLimits

MOST_SPANS: Final = 1000
"""Told one by one: those that are unusual first."""
_SHOWN: Final = 5
_ARRIVES: Final = 30 * SECOND
"""Spans are on their way for so long after the trace ends."""
_SHARED: Final = ("TraceId", "SpanId", "Id", "Parent", "Service", "Operation", "Kind", "Start")
_COLUMNS: Final = (*_SHARED, "Duration", "Failed")


def explain_trace(store: ProjectStore, trace_id: str, limits: QueryLimits) -> TraceExplanation | None:
    """Return what is unusual in a trace, None where no span of it is kept; raises `EngineFailure`.

    `trace_id` is 32 hex digits in lower case. Its siblings are traces with the same root service and
    operation near it in time of which no span failed, the fastest three quarters of them.
    """
    own = read_own(store, trace_id, limits)
    if own is None:
        return None
    root = _root(own)
    siblings = read_siblings(store, own, root, limits)
    rows = own.table.num_rows
    tables = [it.select(_COLUMNS) for it in (own.table, siblings.table) if it.num_rows]
    columns = columns_of(pa.concat_tables(tables, promote_options="permissive"))
    is_sibling = np.arange(len(columns)) >= rows
    compared = len(siblings.trace_ids) >= ENOUGH
    begun = columns.start.min(), (columns.start + columns.duration).max()
    judged = Judged(
        columns=columns,
        own=np.arange(rows),
        table=own.table,
        usual=usual_of(columns, is_sibling, len(siblings.trace_ids)),
        compared=compared,
        excess=_excess(root.duration, siblings.durations) if compared else 0,
        lines=compare_lines(
            store,
            trace_id,
            siblings.trace_ids if compared else (),
            (int(begun[0]), int(begun[1])),
            limits,
        ),
    )
    return _told(own, root, siblings, judged)


def _root(own: OwnTrace) -> Root:
    """Return the trace's first span without a parent, else its first without one that arrived."""
    parents = own.table.column("Parent").to_numpy()
    ids = own.table.column("Id").to_numpy()
    tops = np.flatnonzero(parents == 0)
    orphans = np.flatnonzero(~np.isin(parents, ids))
    row = int(tops[0] if len(tops) else orphans[0] if len(orphans) else 0)
    service, name, operation = (
        str(own.table.column(it)[row].as_py()) for it in ("Service", "Name", "Operation")
    )
    duration = int(own.table.column("Duration")[row].as_py())
    return Root(service, name, operation, duration, rooted=bool(len(tops)))


def _excess(duration: int, usual: tuple[int, ...]) -> int:
    """Return by how much a trace took longer than the median, 0 where it is within what is usual."""
    ordered = np.sort(np.array(usual, np.int64))
    high = int(ordered[int(np.ceil(HIGH * len(ordered))) - 1])
    return max(0, duration - int(np.median(ordered))) if duration > high else 0


def _told(own: OwnTrace, root: Root, siblings: ReadSiblings, judged: Judged) -> TraceExplanation:
    doubts = _doubts(own, root)
    if doubts:  # what is not there yet is not missing
        judged = replace(judged, lines=replace(judged.lines, missing=()))
    missing, extra = () if doubts else missing_calls(judged), extra_calls(judged)
    findings = findings_of(judged, missing, extra)
    failed = int(judged.columns.failed[judged.own].sum())
    durations = np.sort(np.array(siblings.durations, np.int64))
    high = int(np.ceil(HIGH * len(durations))) - 1
    looked_for = SiblingTraces(
        count=len(siblings.trace_ids),
        start=siblings.window.start,
        end=siblings.window.end,
        median_duration=int(np.median(durations)) if len(durations) else None,
        p95_duration=int(durations[high]) if len(durations) else None,
        trace_ids=siblings.trace_ids[:_SHOWN],
    )
    return TraceExplanation(
        trace_id=own.trace_id,
        service=root.service,
        operation=root.name,
        start=own.first,
        duration=root.duration,
        span_count=own.table.num_rows,
        errors=failed,
        siblings=looked_for,
        compared=judged.compared,
        summary=_summary(root, looked_for, judged, findings, failed),
        findings=findings,
        spans=_spans(judged, own.table),
        missing_calls=missing,
        extra_calls=extra,
        missing_lines=judged.lines.missing,
        extra_lines=judged.lines.extra,
        truncated=own.truncated or own.table.num_rows > MOST_SPANS or judged.lines.truncated,
        notes=(*doubts, *_notes(own, root, looked_for, judged)),
    )


def _doubts(own: OwnTrace, root: Root) -> tuple[str, ...]:
    """Return why the trace may not be complete: it is too young, or spans name parents that are not there.

    Where all of an older trace hangs from one parent alone, that one sends no telemetry.
    """
    parents = own.table.column("Parent").to_numpy()
    orphans = np.unique(parents[(parents != 0) & ~np.isin(parents, own.table.column("Id").to_numpy())])
    ends = own.table.column("Start").to_numpy() + own.table.column("Duration").to_numpy()
    young = abs(time.time_ns() - int(ends.max())) < _ARRIVES  # clocks may be ahead
    if not root.rooted and (young or len(orphans) > 1):
        why = "its root has not arrived"
    elif len(orphans) and (root.rooted or young):
        why = (
            f"{len(orphans)} of its spans have not arrived" if len(orphans) > 1 else "a span has not arrived"
        )
    elif young:
        why = "it ended less than 30 seconds ago"
    else:
        return ()
    return (f"the trace may not be complete yet: {why}; what is usual and not there is not told",)


def _summary(
    root: Root, siblings: SiblingTraces, judged: Judged, findings: tuple[SpanFinding, ...], failed: int
) -> str:
    """Return in a sentence or two what is unusual, and where."""
    took = duration_text(root.duration)
    if judged.excess and siblings.median_duration is not None:
        usual = duration_text(siblings.median_duration)
        took += f", {duration_text(judged.excess)} more than its siblings' {usual}"
    elif judged.compared:
        took += ", no longer than usual"
    first = f"It took {took}; " + (f"{failed} of its spans failed." if failed else "no span failed.")
    if not findings:
        return f"{first} Nothing in it is unusual." if judged.compared else first
    best = findings[0]
    return f"{first} {' '.join(filter(None, (best.service, best.operation)))}: {best.reason}."


def _notes(own: OwnTrace, root: Root, siblings: SiblingTraces, judged: Judged) -> tuple[str, ...]:
    notes = []
    if not judged.compared:
        notes.append(
            f"{siblings.count or 'no'} normal traces of {root.service} {root.operation} are kept within "
            f"a day of it, {ENOUGH} are needed: what is usual is not known"
        )
    if own.truncated:
        notes.append(f"it has more spans than are looked at, which are the first {own.table.num_rows:,}")
    if judged.lines.truncated:
        notes.append("there are more log lines than are looked at; rare ones are left out")
    return tuple(notes)


def _spans(judged: Judged, table: pa.Table) -> tuple[JudgedSpan, ...]:
    """Return the spans in the order of time; where there are too many, the unusual ones alone."""
    columns, usual, own = judged.columns, judged.usual, judged.own
    place, time = columns.place[own], columns.tree.own[own]
    slow = (time > usual.own_high[place]) & (usual.seen_in[place] > 0) & bool(judged.excess)
    new = usual.seen_in[place] == 0
    unusual = columns.failed[own] | ((slow | new) & judged.compared)
    rows = np.lexsort((own, ~unusual))[:MOST_SPANS]
    return tuple(_span(columns, judged, table, int(row), bool(unusual[row])) for row in np.sort(rows))


def _span(columns: SpanColumns, judged: Judged, table: pa.Table, row: int, unusual: bool) -> JudgedSpan:
    place = int(columns.place[row])
    known = judged.compared and judged.usual.seen_in[place] > 0
    return JudgedSpan(
        span_id=columns.span_id[row],
        parent_span_id=str(table.column("ParentSpanId")[row].as_py()),
        service=columns.service[row],
        operation=str(table.column("Name")[row].as_py()),
        kind=columns.kind[row],
        depth=int(columns.tree.depth[row]),
        start=int(columns.start[row]),
        duration=int(columns.duration[row]),
        own_time=int(columns.tree.own[row]),
        usual_own_time=int(judged.usual.own_median[place]) if known else None,
        usual_p95=int(judged.usual.own_high[place]) if known else None,
        seen_in=float(judged.usual.seen_in[place]) if judged.compared else 0.0,
        failed=bool(columns.failed[row]),
        unusual=unusual,
    )
