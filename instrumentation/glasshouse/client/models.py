"""What the API answers; made of its description by glasshouse_collector.client_code."""

from typing import Any, Literal, NotRequired, TypedDict


class Alert(TypedDict):
    """One alert, from when it started, as it was last told."""

    name: str
    status: Literal["firing", "resolved"]
    severity: str
    project: str
    service: str
    """Empty: the alert is about no service"""
    starts_at: str
    """RFC 3339 in UTC"""
    ends_at: str | None
    """RFC 3339 in UTC; null while it fires"""
    duration_seconds: float
    """Until its end, or until now"""
    last_received_at: str
    """RFC 3339 in UTC"""
    fingerprint: str
    """Alertmanager's name of its labels"""
    receiver: str
    group_labels: dict[str, str]
    labels: dict[str, str]
    annotations: dict[str, str]
    links: "AlertLinks"


class AlertLinks(TypedDict):
    """Where to look next."""

    traces: list[str]
    """Paths of this API: traces of the service, of the time it fired"""
    rule: str | None
    """The rule's expression in Prometheus"""
    silence: str | None
    """Alertmanager's form to silence it"""
    runbook: str | None
    """What to do; a path is one of this project's repository"""


class AlertList(TypedDict):
    """A page of alerts, those that started last first."""

    alerts: "list[Alert]"
    next: str | None
    """`cursor` of the next page; null: there is none"""


class BadItem(TypedDict):
    """One item that was not taken."""

    index: int
    """Its place in the list, from 0."""
    field: str
    """The field that is wrong."""
    message: str
    """What is wrong, and what would be right."""


class CodecHealth(TypedDict):
    """Which decoder runs."""

    name: Literal["native", "python", "none"]
    note: NotRequired[str | None]
    """What is to be known of it."""


class ComponentHealth(TypedDict):
    """One component's state."""

    ready: bool
    detail: str
    """Why it is not ready, or what there is to know."""


class CreatedKey(TypedDict):
    """A new key, with its secret: the only time that it is told."""

    prefix: str
    """What it is recognised by."""
    project_id: str
    name: str
    scopes: "list[Scope]"
    state: Literal["active", "revoked", "expired"]
    """Whether it opens anything now."""
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    """When it was, or will be, revoked."""
    last_used_at: str | None
    """Some seconds late."""
    records_per_second: int | None
    bytes_per_day: int | None
    api_key: str
    """The key itself. Keep it: nobody can show it again."""
    note: NotRequired[str | None]
    """What has changed with it."""


class CreatedProject(TypedDict):
    """A new project, with its first key: the only time that it is told."""

    project_id: str
    name: str
    description: str
    created_at: str
    api_key: str
    """A key to send and to ask. Keep it: nobody can show it again."""
    note: NotRequired[str | None]
    """What has changed with it."""


class DayAnswer(TypedDict):
    """What a key sent on one day."""

    day: str
    """Of UTC."""
    records: int
    bytes: int
    """Of protobuf, uncompressed."""


Format = Literal["json", "csv", "ndjson", "parquet"]
"""What an answer is written as."""


class HTTPValidationError(TypedDict):
    """HTTPValidationError."""

    detail: "NotRequired[list[ValidationError]]"


class Health(TypedDict):
    """How the collector does."""

    status: Literal["ok", "degraded"]
    """degraded: alive, but a component is not ready."""
    version: str
    uptime_seconds: float
    codec: "CodecHealth"
    components: "dict[str, ComponentHealth]"


class IngestAnswer(TypedDict):
    """What was taken: it is on disk, and can be asked for a moment later."""

    accepted: int
    rejected: int
    errors: "list[BadItem]"
    """The items that were not taken; the others were."""


class InstrumentationScope(TypedDict):
    """Which instrumentation made a record."""

    name: str
    version: str


class KeyAnswer(TypedDict):
    """A key, never with its secret."""

    prefix: str
    """What it is recognised by."""
    project_id: str
    name: str
    scopes: "list[Scope]"
    state: Literal["active", "revoked", "expired"]
    """Whether it opens anything now."""
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    """When it was, or will be, revoked."""
    last_used_at: str | None
    """Some seconds late."""
    records_per_second: int | None
    bytes_per_day: int | None


class KeyDetails(TypedDict):
    """A key and what it sent."""

    prefix: str
    """What it is recognised by."""
    project_id: str
    name: str
    scopes: "list[Scope]"
    state: Literal["active", "revoked", "expired"]
    """Whether it opens anything now."""
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    """When it was, or will be, revoked."""
    last_used_at: str | None
    """Some seconds late."""
    records_per_second: int | None
    bytes_per_day: int | None
    usage: "list[DayAnswer]"
    """The last 31 days on which it sent anything, the latest first."""


class KeyList(TypedDict):
    """Keys, the oldest first; those that ended too."""

    keys: "list[KeyAnswer]"


class KeyToMake(TypedDict):
    """A key to be made."""

    name: str
    """For people: who uses it."""
    scopes: "list[Scope]"
    """`ingest`: send; `read`: ask; `admin`: both, and manage the project's keys."""
    expires_at: NotRequired[str | None]
    """RFC 3339; without it the key does not end."""
    records_per_second: NotRequired[int | None]
    """The most it may send."""
    bytes_per_day: NotRequired[int | None]
    """The most it may send on a day of UTC, uncompressed."""


class Liveness(TypedDict):
    """That the process answers."""

    status: Literal["alive"]


class LogContext(TypedDict):
    """A log record with those of the same service and instance around it, the oldest first."""

    before: "list[LogRecord]"
    log: "LogRecord"
    after: "list[LogRecord]"


class LogCount(TypedDict):
    """How many log records one step of time has."""

    time: str
    """When the step begins, RFC 3339 in UTC, to the nanosecond"""
    counts: dict[str, int]
    """By level (trace, debug, info, warn, error, fatal, unset), those that there are."""


class LogHistogram(TypedDict):
    """Log records counted by time and level."""

    start_time: str
    end_time: str
    step_seconds: int
    total: int
    steps: "list[LogCount]"
    """Every step of the range, the oldest first"""


class LogPage(TypedDict):
    """Some log records, in the order that was asked for."""

    logs: "list[LogRecord]"
    next_cursor: str | None
    """Give it as `cursor` for the next page; null: this is the last"""
    start_time: str
    """Where the range of time began, RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    """Where it ended; stays the same from page to page"""


class LogRecord(TypedDict):
    """One log record."""

    id: str
    """For `/logs/{id}/context`"""
    project: str
    time: str
    """RFC 3339 in UTC, to the nanosecond"""
    time_unix_nano: str
    """The same in nanoseconds since the Unix epoch, as text"""
    trace_id: str | None
    """32 hex digits; null: made outside of any trace"""
    span_id: str | None
    trace_flags: int
    severity_text: str
    severity_number: int
    """1-24 by OpenTelemetry; 0: not told"""
    service_name: str
    event_name: str
    body: str
    scope: "InstrumentationScope"
    resource_attributes: dict[str, str]
    scope_attributes: dict[str, str]
    attributes: dict[str, str]


class Notification(TypedDict):
    """A group of alerts, as Alertmanager notifies a receiver of it."""

    version: Literal["4"]
    status: Literal["firing", "resolved"]
    receiver: str
    groupKey: str
    groupLabels: dict[str, str]
    truncatedAlerts: int
    externalURL: str
    alerts: "list[ReceivedAlert]"


class PathSegment(TypedDict):
    """A stretch of time that the trace as a whole spent in one span itself."""

    span_id: str
    start_time_unix_nano: str
    """Nanoseconds since the Unix epoch, as text: JavaScript's numbers are too small for them"""
    duration_ns: int


class ProblemDetails(TypedDict):
    """An error, as RFC 9457 shapes it."""

    type: str
    """What kind of problem; about:blank: as the status says."""
    title: str
    """The status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What was wrong, and what would be right."""
    id: NotRequired[str | None]
    """Of an unexpected error: what to look for in the log."""


class ProjectAnswer(TypedDict):
    """A project."""

    project_id: str
    name: str
    description: str
    created_at: str


class ProjectList(TypedDict):
    """Projects, the oldest first."""

    projects: "list[ProjectAnswer]"


class ProjectToMake(TypedDict):
    """A project to be made."""

    name: str
    """For people."""
    description: str
    project_id: NotRequired[str | None]
    """What stands with its records, for ever; made of the name where it is left out."""


class Readiness(TypedDict):
    """Whether every component is ready, and which are not."""

    ready: bool
    not_ready: dict[str, str]
    """The components that are not, with their reason."""


class ReceivedAlert(TypedDict):
    """One alert of a notification."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str
    endsAt: NotRequired[str | None]
    generatorURL: str
    fingerprint: str


class RootSpan(TypedDict):
    """The span that a trace is known by."""

    span_id: str
    """16 hex digits"""
    service_name: str
    operation: str
    """The span's name"""
    missing: bool
    """The trace has no root span, or it has not arrived: this is its earliest span instead"""


class Rotation(TypedDict):
    """How a key is replaced."""

    overlap_seconds: int
    """How long the old key goes on working."""


Scope = Literal["ingest", "read", "admin"]
"""What a key opens."""


class SpanEvent(TypedDict):
    """Something that happened during the span."""

    time: str
    """RFC 3339 in UTC, to the nanosecond"""
    time_unix_nano: str
    """Nanoseconds since the Unix epoch, as text: JavaScript's numbers are too small for them"""
    name: str
    attributes: dict[str, str]


class SpanLink(TypedDict):
    """A span that this one is related to, in whatever trace."""

    trace_id: str
    span_id: str
    trace_state: str
    attributes: dict[str, str]


class SpanStatus(TypedDict):
    """How the operation ended."""

    code: str
    """Unset, Ok or Error"""
    message: str


class SqlAnswer(TypedDict):
    """The rows of an answer."""

    columns: "list[SqlColumn]"
    rows: list[list[Any]]
    """A list a row, in the order of the columns. Integers of 64 bits and more, and decimals, are text;
    so are NaN and the infinities ("NaN", "Infinity", "-Infinity"); times are RFC 3339 in UTC.
    """
    statistics: "SqlStatistics"


class SqlColumn(TypedDict):
    """One column of an answer."""

    name: str
    type: str
    """ClickHouse's type."""


class SqlQuestion(TypedDict):
    """One statement that reads."""

    query: str
    """One SELECT, SHOW, DESCRIBE or EXPLAIN in ClickHouse's SQL."""
    parameters: dict[str, str | int | float | bool]
    """Values for `{name:Type}` in the query; never put a value into the text itself."""


class SqlStatistics(TypedDict):
    """What the query cost."""

    elapsed_seconds: float
    rows_read: int
    bytes_read: int


class Stored(TypedDict):
    """What became of a notification."""

    alerts: int
    """How many are kept now"""


class Trace(TypedDict):
    """Everything that is kept of one trace, each list in the order of time."""

    trace_id: str
    """32 hex digits, in lower case"""
    duration_ns: int
    """From the start of the first span to the end of the last"""
    services: list[str]
    """In the order in which they came in"""
    errors: int
    """Spans with the status Error"""
    critical_path: "list[PathSegment]"
    """What the longest root span waited for: its time from start to end, without a gap. Shortening
    anything else makes it no faster.
    """
    spans: "list[TraceSpan]"
    logs: "list[LogRecord]"
    truncated: bool
    """The trace has more spans or log records than are told here"""


class TracePage(TypedDict):
    """Some traces, in the order that was asked for."""

    traces: "list[TraceSummary]"
    next_cursor: str | None
    """Give it as `cursor` for the next page; null: this is the last"""
    start_time: str
    """Where the range of time began, RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    """Where it ended; stays the same from page to page"""


class TraceService(TypedDict):
    """What one service has of a trace."""

    name: str
    spans: int
    errors: int
    """Spans with the status Error"""


class TraceSpan(TypedDict):
    """One span."""

    project: str
    span_id: str
    """16 hex digits"""
    parent_span_id: str | None
    """None: a root span"""
    trace_state: str
    name: str
    kind: str
    """Unspecified, Internal, Server, Client, Producer or Consumer"""
    service_name: str
    start_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    start_time_unix_nano: str
    """Nanoseconds since the Unix epoch, as text: JavaScript's numbers are too small for them"""
    end_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    end_time_unix_nano: str
    """Nanoseconds since the Unix epoch, as text: JavaScript's numbers are too small for them"""
    duration_ns: int
    """Nanoseconds"""
    self_time_ns: int
    """The duration without the time in which any of its children ran"""
    depth: int
    """How many ancestors it has; 0: a root, or its parent is not there"""
    status: "SpanStatus"
    scope: "InstrumentationScope"
    resource_attributes: dict[str, str]
    attributes: dict[str, str]
    events: "list[SpanEvent]"
    links: "list[SpanLink]"


class TraceSummary(TypedDict):
    """One trace of a list."""

    trace_id: str
    """32 hex digits, in lower case"""
    root: "RootSpan"
    start_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    start_time_unix_nano: str
    """The same in nanoseconds since the Unix epoch, as text"""
    duration_ns: int
    """From the start of the first span to the end of the last"""
    status: Literal["error", "ok", "unset"]
    """error: a span has the status Error; ok: none has, and one has Ok; unset: neither"""
    spans: int
    errors: int
    """Spans with the status Error"""
    services: "list[TraceService]"
    """Those with the most spans first"""


class ValidationError(TypedDict):
    """ValidationError."""

    loc: list[str | int]
    msg: str
    type: str
    input: NotRequired[Any]
    ctx: NotRequired[dict[str, Any]]
