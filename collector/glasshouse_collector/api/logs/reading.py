"""Reads pages of log records from the store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.logs.model import LogContext, LogPage, LogRecord
from glasshouse_collector.api.logs.place import Cursor, LogPlace, parse_id
from glasshouse_collector.api.logs.rows import LOG_COLUMNS, log_records
from glasshouse_collector.api.time_range import TimeRange
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.store import ProjectStore, QueryLimits, log_times

Order = Literal["newest", "oldest"]

_FIRST_SPAN: Final = 5 * 60 * 10**9
_WIDER: Final = 8
"""How much wider each span of time is that is looked through than the one before."""
_FAR: Final = 3600 * 10**9
"""How far from a record its neighbours are looked for."""

_SELECT: Final = (
    "SELECT {columns} FROM otel_logs WHERE {where} ORDER BY {order} LIMIT {most} SETTINGS {settings}"
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


def read_page(store: ProjectStore, asked: LogQuestion, limits: QueryLimits) -> LogPage:
    """Return the records, at most `asked.limit`; raises `EngineFailure`.

    Time is looked through in spans that grow from five minutes on, beginning where the page begins: a page
    of what is frequent reads little, and what is rare costs one look at the whole range.
    """
    records: list[LogRecord] = []
    for span in _spans(asked):
        records += _read(store, asked, span, asked.limit + 1 - len(records), limits)
        if len(records) > asked.limit:
            break
    more = len(records) > asked.limit
    records = records[: asked.limit]
    return LogPage(
        logs=records,
        next_cursor=Cursor(asked.range, parse_id(records[-1].id), asked.fingerprint).written()
        if more
        else None,
        start_time=rfc3339(asked.range.start),
        end_time=rfc3339(asked.range.end),
    )


def read_context(store: ProjectStore, place: LogPlace, lines: int, limits: QueryLimits) -> LogContext | None:
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
    record = found[0]
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
    store: ProjectStore, asked: LogQuestion, span: TimeRange, most: int, limits: QueryLimits
) -> list[LogRecord]:
    conditions = Conditions([*asked.conditions.terms], {**asked.conditions.values})
    conditions.add(log_times(conditions.value(span.start, "Int64"), conditions.value(span.end, "Int64")))
    if asked.after:
        place = (
            f"fromUnixTimestamp64Nano({conditions.value(asked.after.time, 'Int64')})",
            conditions.value(asked.after.batch, "String"),
            conditions.value(asked.after.row, "UInt32"),
        )
        beyond = "<" if asked.order == "newest" else ">"
        conditions.add(f"(Timestamp, BatchId, BatchRow) {beyond} ({', '.join(place)})")
    direction = "DESC" if asked.order == "newest" else "ASC"
    sql = _SELECT.format(
        columns=LOG_COLUMNS,
        where=conditions.sql,
        order=", ".join(f"{name} {direction}" for name in ("Timestamp", "BatchId", "BatchRow")),
        most=conditions.value(most, "UInt64"),
        settings=_LAZILY,
    )
    return log_records(store.query_arrow(sql, conditions.values, limits=limits))
