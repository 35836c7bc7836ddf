"""The table of alerts: a notification as rows, and the rows of a page of the list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from glasshouse_alerts.webhook_payload import Notification, ReceivedAlert
from glasshouse_collector.core.access import Caller
from glasshouse_collector.store import QueryLimits, Store

TABLE = "glasshouse_alerts"
NOT_ENDED = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_US = 7_258_118_400_000_000
"""The year 2200, after which no alert starts."""

_TIME = pa.timestamp("us", "UTC")
_MAP = pa.map_(pa.string(), pa.string())
_TEXTS = ("Project", "Fingerprint", "Status", "AlertName", "Severity", "ServiceName")
_MAPS = ("Labels", "Annotations", "GroupLabels")
_WHENCE = ("GroupKey", "Receiver", "GeneratorUrl", "AlertmanagerUrl")
SCHEMA = pa.schema(
    [(name, _TIME) for name in ("StartsAt", "EndsAt", "ReceivedAt")]
    + [(name, pa.string()) for name in _TEXTS]
    + [(name, _MAP) for name in _MAPS]
    + [(name, pa.string()) for name in _WHENCE]
    + [("TraceIds", pa.list_(pa.string()))]
)
_LIMITS = QueryLimits(seconds=10, memory=1 << 30)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts to list: None, or an empty text, is any. Times are those at which an alert started."""

    status: str | None = None
    severity: str | None = None
    service: str | None = None
    project: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the list begins: after the alert that started then and is named so."""

    starts_at_us: int
    fingerprint: str
    project: str


def rows_of(
    notification: Notification, sender: Caller, received_at: datetime, trace_ids: Sequence[Sequence[str]]
) -> pa.RecordBatch:
    """Return the rows of a notification; `trace_ids` are those of each of its alerts."""
    rows = [
        _row(notification, alert, alert.project(sender), received_at, traces)
        for alert, traces in zip(notification.alerts, trace_ids, strict=True)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def _row(
    notification: Notification,
    alert: ReceivedAlert,
    project: str,
    received_at: datetime,
    trace_ids: Sequence[str],
) -> dict[str, Any]:
    return {
        "StartsAt": alert.starts_at,
        "EndsAt": alert.ended_at or NOT_ENDED,
        "ReceivedAt": received_at,
        "Project": project,
        "Fingerprint": alert.fingerprint,
        "Status": alert.status,
        "AlertName": alert.labels.get("alertname", ""),
        "Severity": alert.labels.get("severity", ""),
        "ServiceName": alert.service,
        "Labels": list(alert.labels.items()),
        "Annotations": list(alert.annotations.items()),
        "GroupLabels": list(notification.group_labels.items()),
        "GroupKey": notification.group_key,
        "Receiver": notification.receiver,
        "GeneratorUrl": alert.generator_url,
        "AlertmanagerUrl": notification.external_url,
        "TraceIds": list(trace_ids),
    }


# Of the rows of one alert the last to be received tells how it stands. Its traces are those of the last that
# has any: at the end of a long alert, the spans of its start may be gone.
_LAST = "(t.ReceivedAt, t.Status)"
_LISTED = ("Status", "EndsAt", "AlertName", "Severity", "ServiceName", *_MAPS, *_WHENCE)
_CONDITIONS: Mapping[str, str] = {
    "severity": "Severity = {severity:String}",
    "service": "ServiceName = {service:String}",
    "project": "Project = {project:String}",
    "since": "StartsAt >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')",
    "until": "StartsAt < fromUnixTimestamp64Micro({until:Int64}, 'UTC')",
    "at": "(StartsAt, Fingerprint, Project) < "
    "(fromUnixTimestamp64Micro({at:Int64}, 'UTC'), {fingerprint:String}, {of:String})",
}


def list_alerts(store: Store, wanted: AlertFilter, most: int, after: Place | None) -> list[dict[str, Any]]:
    """Return up to `most` alerts, those that started last first; raises `EngineFailure`.

    A row has the columns of the table as they were last told, times as datetimes in UTC.
    """
    parameters = _parameters(wanted, after)
    where = " AND ".join(_CONDITIONS[name] for name in _CONDITIONS if name in parameters) or "true"
    told = ", ".join(f"argMax(t.{name}, {_LAST}) AS {name}" for name in _LISTED)
    having = "HAVING Status = {status:String}" if wanted.status else ""
    sql = f"""
        SELECT t.StartsAt AS StartsAt, t.Fingerprint AS Fingerprint, t.Project AS Project, {told},
            max(t.ReceivedAt) AS LastReceivedAt,
            argMaxIf(t.TraceIds, t.ReceivedAt, notEmpty(t.TraceIds)) AS TraceIds
        FROM (SELECT * FROM {TABLE} WHERE {where}) AS t
        GROUP BY StartsAt, Fingerprint, Project {having}
        ORDER BY StartsAt DESC, Fingerprint DESC, Project DESC
        LIMIT {{most:UInt32}}
    """  # noqa: S608  (our own column names; values are parameters)
    table = store.query_arrow(sql, parameters | {"most": most}, limits=_LIMITS)
    return [_plain(row) for row in table.to_pylist()]


def _parameters(wanted: AlertFilter, after: Place | None) -> dict[str, str | int]:
    given = {
        "status": wanted.status,
        "severity": wanted.severity,
        "service": wanted.service,
        "project": wanted.project,
        "since": _within(wanted.since) if wanted.since else None,
        "until": _within(wanted.until) if wanted.until else None,
    }
    if after is not None:
        given |= {"at": after.starts_at_us, "fingerprint": after.fingerprint, "of": after.project}
    return {name: value for name, value in given.items() if value is not None}


def _within(moment: datetime) -> int:
    """Return microseconds, of a time before or after all alerts the nearest that the store can compare."""
    return min(max(microseconds(moment), 0), LATEST_US)


def microseconds(moment: datetime) -> int:
    """Return microseconds since the Unix epoch."""
    whole = moment - NOT_ENDED
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _decoded(value) for name, value in row.items()}


def _decoded(value: Any) -> Any:
    """Return a value of the store's Arrow answer as text, dictionaries and lists."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):
            return {_decoded(name): _decoded(one) for name, one in value}
        return [_decoded(one) for one in value]
    return value
