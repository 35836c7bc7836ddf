"""Reads pages of log records from the store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.json_values import json_values
from glasshouse_collector.api.log_model import LogContext, LogPage, LogRecord
from glasshouse_collector.api.log_place import Cursor, LogPlace
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.trace_model import Scope
from glasshouse_collector.api.trace_reading import rfc3339
from glasshouse_collector.store import QueryLimits, Store

Order = Literal["newest", "oldest"]

_FIRST_SPAN: Final = 5 * 60 * 10**9
_WIDER: Final = 8
"""How much wider each span of time is that is looked through than the one before."""
_FAR: Final = 3600 * 10**9
"""How far from a record its neighbours are looked for."""

_TEXT: Final = ("Project", "BatchId", "TraceId", "SpanId", "SeverityText", "ServiceName", "EventName", "Body")
_COLUMNS: Final = {
    **dict.fromkeys((*_TEXT, "ScopeName", "ScopeVersion"), "String"),
    **dict.fromkeys(("ResourceAttributes", "ScopeAttributes", "LogAttributes"), "Map(String, String)"),
    **dict.fromkeys(("TraceFlags", "SeverityNumber"), "UInt8"),
    "BatchRow": "UInt32",
    "Nanos": "Int64",
}
_SELECT: Final = (
    "SELECT {columns} FROM otel_logs WHERE {where} ORDER BY {order} LIMIT {most} SETTINGS {settings}"
)
_LISTED: Final = ", ".join(
    "toUnixTimestamp64Nano(Timestamp) AS Nanos" if name == "Nanos" else f"`{name}`" for name in _COLUMNS
)
_LAZILY: Final = (
    "query_plan_optimize_lazy_materialization = 1, query_plan_max_limit_for_lazy_materialization = 10000"
)
"""Sorts places, then reads the text and attributes of the page's records alone."""


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """Which log records are asked for: conditions, a range of time, an order, how many, and from where on."""

    conditions: Conditions
    range: TimeRange
    order: Order
    limit: int
    fingerprint: str
    after: LogPlace | None = None


def read_page(store: Store, asked: LogQuestion, limits: QueryLimits) -> LogPage:
    """Return the records, at most `asked.limit`; raises `EngineFailure`.

    Time is looked through in spans that grow from five minutes on, beginning where the page begins: a page
    of what is frequent reads little, and what is rare costs one look at the whole range.
    """
    rows: list[dict[str, Any]] = []
    for span in _spans(asked):
        rows += _read(store, asked, span, asked.limit + 1 - len(rows), limits)
        if len(rows) > asked.limit:
            break
    more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    return LogPage(
        logs=[_record(row) for row in rows],
        next_cursor=Cursor(asked.range, _place(rows[-1]), asked.fingerprint).written() if more else None,
        start_time=rfc3339(asked.range.start),
        end_time=rfc3339(asked.range.end),
    )


def read_context(store: Store, place: LogPlace, lines: int, limits: QueryLimits) -> LogContext | None:
    """Return a record and up to `lines` on either side; None where it is not kept. Raises `EngineFailure`.

    Neighbours are records of the same service and instance (`service.instance.id`, else `host.name`) within
    an hour.
    """
    alone = Conditions()
    alone.add(
        f"BatchId = {alone.value(place.batch, 'String')} AND BatchRow = {alone.value(place.row, 'UInt32')}"
    )
    asked = LogQuestion(alone, TimeRange(place.time, place.time + 1), "oldest", 1, "")
    found = _read(store, asked, asked.range, 1, limits)
    if not found:
        return None
    record = _record(found[0])
    around = TimeRange(max(0, place.time - _FAR), place.time + _FAR)
    near = _of_same_source(record)
    before = LogQuestion(near, around, "newest", lines, "", place)
    after = LogQuestion(near, around, "oldest", lines, "", place)
    return LogContext(
        before=read_page(store, before, limits).logs[::-1],
        log=record,
        after=read_page(store, after, limits).logs,
    )


def _of_same_source(record: LogRecord) -> Conditions:
    conditions = Conditions()
    conditions.one_of("Project", [record.project])
    conditions.one_of("ServiceName", [record.service_name])
    for key in ("service.instance.id", "host.name"):
        if key in record.resource_attributes:
            found = f"ResourceAttributes[{conditions.value(key, 'String')}]"
            conditions.one_of(found, [record.resource_attributes[key]])
            break
    return conditions


def _spans(asked: LogQuestion) -> Iterator[TimeRange]:
    """Divide the range, beginning at the page's end of it, into ever longer spans."""
    whole = asked.range
    if asked.after and asked.order == "newest":
        whole = whole.within(0, asked.after.time + 1)
    elif asked.after:
        whole = whole.within(asked.after.time, whole.end)
    length = _FIRST_SPAN
    while whole.start < whole.end:
        if asked.order == "newest":
            edge = max(whole.start, whole.end - length)
            yield TimeRange(edge, whole.end)
            whole = TimeRange(whole.start, edge)
        else:
            edge = min(whole.end, whole.start + length)
            yield TimeRange(whole.start, edge)
            whole = TimeRange(edge, whole.end)
        length *= _WIDER


def _read(
    store: Store, asked: LogQuestion, span: TimeRange, most: int, limits: QueryLimits
) -> list[dict[str, Any]]:
    conditions = Conditions([*asked.conditions.terms], {**asked.conditions.values})
    moment = "fromUnixTimestamp64Nano({})"
    for bound, value in ((">=", span.start), ("<", span.end)):
        conditions.add(f"Timestamp {bound} {moment.format(conditions.value(value, 'Int64'))}")
    if asked.after:
        place = (
            moment.format(conditions.value(asked.after.time, "Int64")),
            conditions.value(asked.after.batch, "String"),
            conditions.value(asked.after.row, "UInt32"),
        )
        beyond = "<" if asked.order == "newest" else ">"
        conditions.add(f"(Timestamp, BatchId, BatchRow) {beyond} ({', '.join(place)})")
    direction = "DESC" if asked.order == "newest" else "ASC"
    sql = _SELECT.format(
        columns=_LISTED,
        where=conditions.sql,
        order=", ".join(f"{name} {direction}" for name in ("Timestamp", "BatchId", "BatchRow")),
        most=conditions.value(most, "UInt64"),
        settings=_LAZILY,
    )
    table = store.query_arrow(sql, conditions.values, limits=limits)
    if not table.num_rows:
        return []
    values = [json_values(table.column(name), kind) for name, kind in _COLUMNS.items()]
    return [dict(zip(_COLUMNS, row, strict=True)) for row in zip(*values, strict=True)]


def _place(row: Mapping[str, Any]) -> LogPlace:
    return LogPlace(int(row["Nanos"]), row["BatchId"], row["BatchRow"])


def _record(row: Mapping[str, Any]) -> LogRecord:
    place = _place(row)
    return LogRecord(
        id=place.id,
        project=row["Project"],
        time=rfc3339(place.time),
        time_unix_nano=str(place.time),
        trace_id=row["TraceId"] or None,
        span_id=row["SpanId"] or None,
        trace_flags=row["TraceFlags"],
        severity_text=row["SeverityText"],
        severity_number=row["SeverityNumber"],
        service_name=row["ServiceName"],
        event_name=row["EventName"],
        body=row["Body"],
        scope=Scope(name=row["ScopeName"], version=row["ScopeVersion"]),
        resource_attributes=row["ResourceAttributes"],
        scope_attributes=row["ScopeAttributes"],
        attributes=row["LogAttributes"],
    )
