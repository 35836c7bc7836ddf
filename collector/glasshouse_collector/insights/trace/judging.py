"""Which spans explain that a trace is slow, failed, or did not do what its siblings do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glasshouse_collector.insights.findings import FaultKind
from glasshouse_collector.insights.trace.columns import SpanColumns
from glasshouse_collector.insights.trace.findings import (
    CallDifference,
    LineDifference,
    SpanFinding,
)
from glasshouse_collector.insights.trace.lines import RARE, USUAL, TraceLines
from glasshouse_collector.insights.trace.usual import Usual

MOST_FINDINGS: Final = 10
MOST_CALLS: Final = 50
_SHOWN: Final = 5
_WORTH: Final = 0.05
"""The share of what a trace took longer, below which a place explains nothing."""
_MANY: Final = 2
"""How many times the usual calls are many."""
_MISSING, _EXTRA, _LINE, _ERROR_LINE = 0.5, 0.3, 0.2, 0.7
"""How far calls and log lines explain a trace that is neither slow nor failed: chosen, not measured."""
_ERROR: Final = 17
_CALLING: Final = frozenset({"Client", "Producer"})


@dataclass(frozen=True, slots=True)
class Judged:
    """A trace's columns (the rows that `own` marks, siblings the others), and what is usual."""

    columns: SpanColumns
    own: npt.NDArray[np.int64]
    """The rows of the trace, in the order of time."""
    table: pa.Table
    """What only the trace itself has: messages, in the order of `own`."""
    usual: Usual
    compared: bool
    excess: int
    """By how many nanoseconds the trace took longer than its siblings' median; 0: no longer than most."""
    lines: TraceLines


def duration_text(nanoseconds: float) -> str:
    """Return a duration for people, such as `12.3 ms`."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            amount = nanoseconds / size
            return f"{amount:.3g} {unit}" if amount < 1000 else f"{amount:,.0f} {unit}"  # noqa: PLR2004
    return f"{nanoseconds:.0f} ns"


def findings_of(
    judged: Judged, missing: tuple[CallDifference, ...], extra: tuple[CallDifference, ...]
) -> tuple[SpanFinding, ...]:
    """Return what explains the trace, the best first."""
    found = [*_failures(judged), *_slow(judged), *_lines(judged)]
    failed = bool(judged.columns.failed[judged.own].any())
    found += (_missing(each, failed=failed) for each in missing)
    found += (_more(each) for each in extra)
    found.sort(key=lambda it: -it.score)  # stable: of equal ones the earlier span first
    return tuple(found[:MOST_FINDINGS])


def missing_calls(judged: Judged) -> tuple[CallDifference, ...]:
    """Return places that most siblings have and the trace has not, topmost alone."""
    if not judged.compared:
        return ()
    columns, usual = judged.columns, judged.usual
    here = np.bincount(columns.place[judged.own], minlength=columns.places)
    told = []
    for place in np.flatnonzero((here == 0) & (usual.seen_in >= USUAL)):
        row = int(usual.example[place])
        above = int(columns.tree.parent[row])
        if above < 0 or not here[columns.place[above]]:  # what is above it is missing too
            continue
        callers = judged.own[columns.place[judged.own] == columns.place[above]]
        told.append(_difference(judged, int(place), row, above, callers))
    return tuple(sorted(told, key=lambda it: -it.seen_in)[:MOST_CALLS])


def extra_calls(judged: Judged) -> tuple[CallDifference, ...]:
    """Return places that hardly a sibling has, topmost alone, and those with many more spans than usual."""
    if not judged.compared:
        return ()
    columns, usual = judged.columns, judged.usual
    here = np.bincount(columns.place[judged.own], minlength=columns.places)
    new = usual.seen_in <= RARE
    many = (here > usual.count_high) & (here >= _MANY * np.maximum(usual.count_median, 1))
    told = []
    for place in np.flatnonzero((here > 0) & (new | many)):
        rows = judged.own[columns.place[judged.own] == place]
        above = int(columns.tree.parent[rows[0]])
        if above < 0 or (new[columns.place[above]] and new[place]):
            continue
        told.append(_difference(judged, int(place), int(rows[0]), above, rows))
    return tuple(sorted(told, key=lambda it: (it.usual_count - it.count, it.seen_in))[:MOST_CALLS])


def _difference(
    judged: Judged, place: int, row: int, above: int, shown: npt.NDArray[np.int64]
) -> CallDifference:
    columns = judged.columns
    return CallDifference(
        service=columns.service[row],
        operation=columns.operation[row],
        parent_service=columns.service[above],
        parent_operation=columns.operation[above],
        count=int((columns.place[judged.own] == place).sum()),
        usual_count=int(judged.usual.count_median[place]),
        seen_in=float(judged.usual.seen_in[place]),
        span_ids=tuple(columns.span_id[int(it)] for it in shown[:_SHOWN]),
    )


def _failures(judged: Judged) -> Iterator[SpanFinding]:
    """Tell the deepest failed spans: what fails above them fails for them."""
    columns, own = judged.columns, judged.own
    failed = np.zeros(len(columns), np.bool_)
    failed[own] = columns.failed[own]
    deepest = failed & ~columns.tree.below(failed)
    whole = bool(failed[own[columns.tree.depth[own] == 0]].any())
    tops = columns.tree.roots()
    for number in np.flatnonzero(deepest[own]):
        row = own[number]
        message = _message(judged.table, int(number))
        reaches = bool(failed[tops[row]])
        what = "fails, and nothing that it calls explains it"
        carried = "; so do the spans above it up to the root" if reaches and columns.tree.depth[row] else ""
        calls = columns.kind[int(row)] in _CALLING and not (columns.tree.parent[own] == row).any()
        yield SpanFinding(
            span_ids=(columns.span_id[int(row)],),
            service=columns.service[int(row)],
            operation=columns.operation[int(row)],
            kind=FaultKind.DEPENDENCY_ERROR if calls else FaultKind.EXCEPTION,
            score=1.0 if reaches else 0.4 if whole else 0.6,
            reason=f"{what}{carried}{f': {message}' if message else ''}",
        )


def _message(table: pa.Table, number: int) -> str:
    exception, said, status = (
        str(table.column(name)[number].as_py() or "")
        for name in ("Exception", "ExceptionMessage", "StatusMessage")
    )
    return ": ".join(filter(None, (exception, said or status)))[:500]


def _slow(judged: Judged) -> Iterator[SpanFinding]:
    """Tell the places that took longer than usual, by their share of what the trace took longer."""
    columns, usual = judged.columns, judged.usual
    if not judged.compared or not judged.excess:
        return
    place = columns.place[judged.own]
    total = np.zeros(columns.places, np.int64)
    np.add.at(total, place, columns.tree.own[judged.own])
    longer = total - usual.total_median
    wanted = (total > usual.total_high) & (longer > _WORTH * judged.excess)
    for at in np.flatnonzero(wanted)[np.argsort(-longer[wanted], kind="stable")]:
        rows = judged.own[place == at]
        rows = rows[np.argsort(-columns.tree.own[rows], kind="stable")]
        share = min(1.0, float(longer[at]) / judged.excess)
        worst = int(rows[0])
        calls = f" in {len(rows)} spans" if len(rows) > 1 else ""
        yield SpanFinding(
            span_ids=tuple(columns.span_id[int(it)] for it in rows[:_SHOWN]),
            service=columns.service[worst],
            operation=columns.operation[worst],
            kind=_kind_of_slowness(judged, worst),
            score=share,
            reason=(
                f"own time {duration_text(total[at])}{calls}; usual are "
                f"{duration_text(usual.total_median[at])}, at most {duration_text(usual.total_high[at])} in "
                f"95 % of its siblings: {share:.0%} of what the trace took longer"
            ),
        )


def _kind_of_slowness(judged: Judged, row: int) -> FaultKind:
    columns = judged.columns
    if columns.kind[row] not in _CALLING:
        return FaultKind.SLOW_CODE
    answered = (columns.tree.parent[judged.own] == row).any()
    return FaultKind.NETWORK_DELAY if answered else FaultKind.DEPENDENCY_SLOW


def _missing(call: CallDifference, *, failed: bool) -> SpanFinding:
    return SpanFinding(
        span_ids=call.span_ids,
        service=call.parent_service,
        operation=call.parent_operation,
        kind=FaultKind.EARLY_RETURN,
        score=_MISSING * call.seen_in * (0.5 if failed else 1.0),  # what failed explains what is not done
        reason=f"does not call {call.service} {call.operation}, as {call.seen_in:.0%} of its siblings do",
    )


def _more(call: CallDifference) -> SpanFinding:
    usually = f"usual are {call.usual_count}" if call.seen_in else "none of its siblings does"
    return SpanFinding(
        span_ids=call.span_ids,
        service=call.parent_service,
        operation=call.parent_operation,
        kind=FaultKind.UNKNOWN,
        score=_EXTRA,
        reason=f"calls {call.service} {call.operation} {_times(call.count)}; {usually}",
    )


def _lines(judged: Judged) -> Iterator[SpanFinding]:
    for line in judged.lines.extra:
        yield _line(line, _ERROR_LINE if line.severity >= _ERROR else _LINE, FaultKind.EXCEPTION)
    for line in judged.lines.missing:
        yield _line(line, _LINE * line.seen_in, FaultKind.EARLY_RETURN)


def _line(line: LineDifference, score: float, kind: FaultKind) -> SpanFinding:
    said = f"“{line.template[:200]}”"
    return SpanFinding(
        span_ids=(),
        service=line.service,
        operation="",
        kind=kind if line.severity >= _ERROR or not line.count else FaultKind.UNKNOWN,
        score=score,
        reason=f"logs {said} {_times(line.count)}; {line.seen_in:.0%} of its siblings do"
        if line.count
        else f"does not log {said}, as {line.seen_in:.0%} of its siblings do",
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
