"""Log lines of one trace against those of its siblings: which are missing, which are new."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from glasshouse_collector.insights.trace.findings import LineDifference
from glasshouse_collector.insights.windows import SECOND
from glasshouse_collector.patterns.masking import mask
from glasshouse_collector.patterns.mining import mine
from glasshouse_collector.patterns.shapes import MOST_LINE
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

MOST_LINES: Final = 20_000
"""Different lines of all traces together: of more, the rare ones are left out."""
MOST_TOLD: Final = 50
USUAL: Final = 0.9
"""The share of siblings with which something is taken for usual."""
RARE: Final = 0.05
_SHOWN: Final = 5
_AROUND: Final = 60 * SECOND
"""How long before and after a trace's spans its log records are looked for."""

_LINES: Final = f"""
SELECT Trace, Service, Line, Records, Severity, Places FROM (
    SELECT TraceId AS Trace, toString(ServiceName) AS Service,
        substringUTF8(substringIndex(trimLeft(Body), '\\n', 1), 1, {MOST_LINE}) AS Line,
        toInt64(count()) AS Records, toInt64(max(SeverityNumber)) AS Severity,
        arrayMap(it -> concat(toString(it.1), '.', it.2, '.', toString(it.3)), groupArraySorted({_SHOWN})(
            (toUnixTimestamp64Nano(Timestamp), toString(BatchId), BatchRow))) AS Places
    FROM otel_logs
    WHERE TraceId IN {{ids:Array(String)}}
        AND {log_times("{first:Int64}", "{last:Int64}", until="<=")}
    GROUP BY Trace, Service, Line
) ORDER BY Trace = {{own:String}} DESC, Records DESC LIMIT {MOST_LINES}
"""  # noqa: S608  (constants; values are parameters)


@dataclass(frozen=True, slots=True)
class TraceLines:
    """Lines that are missing in a trace, and those that are new in it, the severe ones first."""

    missing: tuple[LineDifference, ...] = ()
    extra: tuple[LineDifference, ...] = ()
    truncated: bool = False


@dataclass(slots=True)
class _Line:
    """A template of a service over all traces."""

    here: int = 0
    severity: int = 0
    log_ids: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()


def compare_lines(
    store: ProjectStore, own: str, siblings: Sequence[str], times: tuple[int, int], limits: QueryLimits
) -> TraceLines:
    """Return how the log lines of trace `own` differ; `times` hold all traces. Raises `EngineFailure`.

    Without siblings only lines of errors are told, as extra.
    """
    table = store.query_arrow(
        _LINES,
        {
            "ids": "[" + ",".join(f"'{it}'" for it in (own, *siblings)) + "]",
            "first": max(0, times[0] - _AROUND),
            "last": min(times[1] + _AROUND, 2**63 - 1),
            "own": own,
        },
        limits=limits,
    )
    lines = _by_template(table, own)
    missing, extra = [], []
    for (service, template), line in lines.items():
        seen_in = len(line.siblings) / len(siblings) if siblings else 0.0
        told = LineDifference(
            service, template, line.severity, line.here, seen_in, line.log_ids, line.siblings[:_SHOWN]
        )
        if not line.here and siblings and seen_in >= USUAL:
            missing.append(told)
        elif line.here and seen_in <= RARE:
            extra.append(told)
    missing.sort(key=lambda it: (-it.seen_in, it.service, it.template))
    extra.sort(key=lambda it: (-it.severity, -it.count, it.service, it.template))
    return TraceLines(tuple(missing[:MOST_TOLD]), tuple(extra[:MOST_TOLD]), table.num_rows >= MOST_LINES)


def _by_template(table: pa.Table, own: str) -> dict[tuple[str, str], _Line]:
    """Return the lines by service and template; a row is a trace's different line, not a record."""
    trace, service, line = (
        table.column(name).cast(pa.string()).to_pylist() for name in ("Trace", "Service", "Line")
    )
    masked = {each: mask(each) for each in set(line)}
    templates = mine(set(masked.values()))
    found: dict[tuple[str, str], _Line] = defaultdict(_Line)
    siblings: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    records, severity, places = (table.column(name).to_pylist() for name in ("Records", "Severity", "Places"))
    for row, of in enumerate(trace):
        place = service[row], templates[masked[line[row]]] or "(empty)"
        known = found[place]
        known.severity = max(known.severity, severity[row])
        if of == own:
            known.here += records[row]
            known.log_ids = (*known.log_ids, *(_log_id(it) for it in places[row]))[:_SHOWN]
        else:
            siblings[place][of] = None
    for place, traces in siblings.items():
        found[place].siblings = tuple(traces)
    return dict(found)


def _log_id(place: str | bytes) -> str:
    """Return the id that the API gives the record: time and row in hex, its batch between them."""
    written = place.decode(errors="replace") if isinstance(place, bytes) else place
    time, _, rest = written.partition(".")
    batch, _, row = rest.rpartition(".")
    return f"{int(time):x}.{batch}.{int(row):x}"
