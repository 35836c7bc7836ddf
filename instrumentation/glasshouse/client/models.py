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


class AnalysisAnswer(TypedDict):
    """Root causes of what was wrong in a window, the best first, and how much was looked at for that."""

    start_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    baselines: "list[TimeWindow]"
    """The normal times that it was compared with"""
    root_causes: "list[RootCauseShown]"
    """At most 10; none: nothing stands out"""
    symptoms: "list[PathStepShown]"
    """Operations where requests come in that became slower or fail, the worst first"""
    traces: int
    """That were looked at in the window"""
    spans: int
    """Of these"""
    log_records: int
    """That were looked at in the window"""
    one_in: int
    """Of so many traces one was looked at; 1: all"""
    notes: list[str]
    """What was not there, or not looked at"""


class AnalyzeQuestion(TypedDict):
    """A window in which something was wrong."""

    start: str
    """RFC 3339, or now, now-15m, now-1h, now-7d. Included"""
    end: str
    """Not included; at most 24 hours after `start`"""
    baseline_start: NotRequired[str | None]
    """When all was well, from here; without a baseline, times are chosen: before the window, and the
    same time of earlier days
    """
    baseline_end: NotRequired[str | None]
    """To here, not included"""
    baselines: "list[BaselineAsked]"
    """Several times when all was well, instead of the one"""
    services: list[str]
    """Look for the cause among these alone"""


class AttributeDifference(TypedDict):
    """An attribute that is not the same in both."""

    key: str
    a: str | None
    """null: it is not there; a long value is cut after 1,000 characters"""
    b: str | None


class AttributeKey(TypedDict):
    """One attribute that records have."""

    key: str
    place: Literal["own", "resource", "scope"]
    """Whose it is: the record's own, its resource's or its scope's"""
    records: int
    """How many spans or log records have it; of metrics, data points of the metrics that do"""
    distinct_values: int | None
    """An estimate of how many values it has; null: not known"""
    last_seen: str


class AttributeKeys(TypedDict):
    """The attributes of records, the most frequent first."""

    attributes: "list[AttributeKey]"
    truncated: bool
    """There are more; `text` or a higher `limit` finds them"""
    start_time: str
    """RFC 3339; the range is widened to whole quarter hours (for metrics to days of UTC)"""
    end_time: str


class AttributeValue(TypedDict):
    """One value of an attribute."""

    value: str
    """Of longer values the first 200 characters"""
    records: int
    """How many records have it; an estimate where the answer is `sampled`"""


class AttributeValues(TypedDict):
    """The values of one attribute, the most frequent first."""

    key: str
    records: int
    """How many records have the attribute, with whatever value"""
    distinct_values: int | None
    """An estimate of how many values there are"""
    values: "list[AttributeValue]"
    sampled: bool
    """Values are of a sample of the records: rare ones may be missing"""
    truncated: bool
    """There are more values than are told"""
    start_time: str
    """RFC 3339; the range is widened to whole quarter hours (for metrics to days of UTC)"""
    end_time: str


class BadItem(TypedDict):
    """One item that was not taken."""

    index: int
    """Its place in the list, from 0."""
    field: str
    """The field that is wrong."""
    message: str
    """What is wrong, and what would be right."""


class BaselineAsked(TypedDict):
    """A time when all was well."""

    start: str
    """RFC 3339, or now, now-15m, now-1h, now-7d. Included"""
    end: str
    """Not included"""


class CallDifferenceShown(TypedDict):
    """Calls that are usual and missing here, or new, or many more than usual."""

    service: str
    """That is called"""
    operation: str
    parent_service: str
    """That calls it"""
    parent_operation: str
    count: int
    """In this trace"""
    usual_count: int
    """The siblings' median"""
    seen_in: float
    """The share of siblings that have it"""
    span_ids: list[str]
    """At most 5; of missing calls those that usually make them"""


class ChangeShown(TypedDict):
    """A resource attribute of a service that took another value."""

    time: str
    """When it was first seen; RFC 3339 in UTC, to the nanosecond"""
    service: str
    attribute: str
    before: str
    """Empty: it came"""
    after: str
    """Empty: it went"""


class CodecHealth(TypedDict):
    """Which decoder runs."""

    name: Literal["native", "python", "none"]
    note: NotRequired[str | None]
    """What is to be known of it."""


class ComparedError(TypedDict):
    """A span with the status Error whose counterpart in the other trace has none, or is not there."""

    node: int
    """The `id` of its node"""
    service_name: str
    operation: str
    span_id: str
    message: str
    """The status' message, cut after 1,000 characters"""


class ComparedNode(TypedDict):
    """A place in the tree of spans: the nth of a service's operation beneath the place of its parent."""

    id: int
    """Its number in this answer"""
    parent: int | None
    """The `id` of its parent; null: a root"""
    depth: int
    service_name: str
    operation: str
    """The span's name"""
    occurrence: int
    """Which one it is of those alike beneath one parent, from 1 on"""
    found_in: Literal["both", "a", "b"]
    a: "NodeSide | None"
    b: "NodeSide | None"
    duration_difference_ns: int | None
    """Of b less that of a; null: it is not in both"""
    self_time_difference_ns: int | None
    """Of b less that of a; null: it is not in both"""
    attributes: "list[AttributeDifference]"
    """The span's own, where they differ: the first 50 by their key"""


class ComparedTrace(TypedDict):
    """One of the two, as a whole."""

    trace_id: str
    """32 hex digits, in lower case"""
    start_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    duration_ns: int
    spans: int
    """How many were compared"""
    errors: int
    """Spans among them with the status Error"""
    truncated: bool
    """It has more spans than are compared"""


class ComponentHealth(TypedDict):
    """One component's state."""

    ready: bool
    detail: str
    """Why it is not ready, or what there is to know."""


class Contributor(TypedDict):
    """How much longer, or shorter, all spans of one operation were at work themselves."""

    service_name: str
    operation: str
    spans_a: int
    spans_b: int
    self_time_a_ns: int
    self_time_b_ns: int
    self_time_difference_ns: int
    """Of b less that of a"""


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


class Dependency(TypedDict):
    """Who calls, or is called."""

    kind: Literal["service", "database", "queue", "external"]
    name: str
    calls: int
    """Scaled up where the traces are sampled"""
    errors: int
    rate: float
    """Calls a second"""
    p95_ns: int | None
    """As the caller measured it; else as the called one did"""


class DependentErrorsShown(TypedDict):
    """Errors of different services that came in the same traces."""

    groups: "list[ServiceError]"
    shared_traces: int
    """How many traces have all of them"""
    trace_ids: list[str]


class ErrorDetails(TypedDict):
    """One error, and when it occurred last."""

    error: "ErrorGroup"
    occurrences: "list[ErrorOccurrence]"
    """The newest first"""
    step_seconds: int
    trend_start_time: str
    start_time: str
    end_time: str


class ErrorGroup(TypedDict):
    """Exceptions of one type, raised at one place of one service."""

    id: str
    """16 hex digits, the same for ever"""
    service_name: str
    type: str
    message: str
    """That of the last one"""
    masked_message: str
    """The same with a star for what is different each time"""
    place: "ErrorPlace | None"
    """null: no stack trace, or of no known format"""
    count: int
    """How often in the range; told by a span and its log record it is one"""
    first_seen: str
    """Ever, not just in the range; RFC 3339 in UTC, to the nanosecond"""
    last_seen: str
    """In the range; RFC 3339 in UTC, to the nanosecond"""
    trend: list[int]
    """How often in each step of the range, the oldest first"""
    operations: list[str]
    """Up to ten; ids in them are stars"""
    versions: list[str]
    """Versions of the service, up to ten"""
    environments: list[str]
    """Up to ten"""
    sources: list[Literal["spans", "logs"]]
    trace_ids: list[str]
    """Of the last ones, up to three"""
    log_ids: list[str]
    """Up to three, for `/logs/{id}/context`"""


class ErrorGroupShown(TypedDict):
    """Errors of one type at one place of a service."""

    type: str
    service: str
    place: str
    """The frame that raised it, a span's name, or a logger"""
    message: str
    """The last one's"""
    count: int
    first_seen: str
    """RFC 3339 in UTC, to the nanosecond"""
    last_seen: str
    """RFC 3339 in UTC, to the nanosecond"""
    trace_ids: list[str]


class ErrorOccurrence(TypedDict):
    """One exception."""

    time: str
    """RFC 3339 in UTC, to the nanosecond"""
    source: Literal["spans", "logs"]
    """`spans`, also where a log record tells it too"""
    trace_id: str | None
    span_id: str | None
    log_id: str | None
    """For `/logs/{id}/context`; null: no log record tells it"""
    message: str
    stack_trace: str
    """What is longer than 16 KiB lacks its middle"""
    operation: str
    version: str
    environment: str
    attributes: dict[str, str]
    """Of the span and its event, or of the log record"""


class ErrorPage(TypedDict):
    """Some errors, in the order that was asked for."""

    errors: "list[ErrorGroup]"
    next_cursor: str | None
    """Give it as `cursor` for the next page; null: this is the last"""
    step_seconds: int
    """How long a step of the trends is"""
    trend_start_time: str
    """When the first step of the trends begins"""
    start_time: str
    end_time: str


class ErrorPlace(TypedDict):
    """Where an exception was raised: the innermost frame of the application in its stack trace."""

    language: str
    """Whose format the stack trace has"""
    file: str | None
    function: str | None
    line: str
    """The line of the stack trace, of one occurrence"""


class ErrorTrace(TypedDict):
    """A trace in which the service failed."""

    trace_id: str
    time: str
    """RFC 3339 in UTC, to the nanosecond"""
    operation: str
    message: str
    """The span's status message, its first 500 characters"""
    duration_ns: int


EvidenceKind = Literal[
    "errors",
    "exception",
    "own_time",
    "waiting",
    "missing_calls",
    "new_calls",
    "log_pattern",
    "missing_log",
    "metric",
    "attribute",
    "release",
    "traffic",
    "propagation",
]
"""What a piece of evidence was seen in."""


class EvidenceShown(TypedDict):
    """One thing that was seen, with where anybody can see it too."""

    kind: "EvidenceKind"
    """What it was seen in"""
    text: str
    """In a sentence, with the numbers"""
    weight: float
    """Its share of the cause's score"""
    service: str
    operation: str
    before: float | None
    """In normal times, in `unit`; null: nothing to compare with"""
    after: float | None
    """In the incident"""
    unit: str
    start_time: str
    """When it shows, from here"""
    end_time: str
    trace_ids: list[str]
    """Traces that show it, at most 5: `GET /traces/{trace_id}`"""
    log_ids: list[str]
    """Log records that show it, at most 5: `GET /logs/{id}/context`"""
    metric: str
    """The metric's name, where it is one"""
    template: str
    """The log records' pattern, where it is one"""
    attribute: str
    """The attribute's key, where it is one"""


class Exemplar(TypedDict):
    """One measurement and the span in which it was made."""

    time: str
    value: float
    trace_id: str
    span_id: str
    attributes: dict[str, str]


class ExplainedTrace(TypedDict):
    """What is unusual in one trace, and which of its spans explain that."""

    trace_id: str
    """32 hex digits, in lower case"""
    service: str
    """Of the root span"""
    operation: str
    """Of the root span"""
    start_time: str
    duration_ns: int
    """Of the root span"""
    span_count: int
    """How many were looked at"""
    errors: int
    """Spans among them with the status Error"""
    summary: str
    compared: bool
    """false: too few normal traces are kept, failures alone are told"""
    siblings: "SiblingsShown"
    findings: "list[SpanFindingShown]"
    """At most 10, the best first"""
    missing_calls: "list[CallDifferenceShown]"
    """At most 50, the topmost of each branch"""
    extra_calls: "list[CallDifferenceShown]"
    """At most 50"""
    missing_logs: "list[LineDifferenceShown]"
    """At most 50"""
    extra_logs: "list[LineDifferenceShown]"
    """At most 50, the severe ones first"""
    spans: "list[SpanShown]"
    """In the order of time; of more than 1,000 the unusual ones"""
    truncated: bool
    """There is more than was looked at or is told"""
    notes: list[str]


FaultKind = Literal[
    "exception",
    "early_return",
    "repeated_calls",
    "cpu_contention",
    "slow_code",
    "network_delay",
    "dependency_error",
    "dependency_slow",
    "pool_exhausted",
    "bad_release",
    "memory_leak",
    "silent",
    "overload",
    "unknown",
]
"""What went wrong at the root."""


class FeedbackPage(TypedDict):
    """What users said of insights, the latest first."""

    feedback: "list[FeedbackShown]"
    next_cursor: str | None
    """For the page after this one; null: there is none"""


class FeedbackShown(TypedDict):
    """What a user said of an insight."""

    id: int
    rating: Literal[-1, 1]
    """1: it helped; -1: it did not"""
    incident_id: str | None
    lookback_minutes: int | None
    correction: str
    service: str
    kind: str
    created_at: str


class FeedbackToGive(TypedDict):
    """What a user says of the insights of the last minutes, or of an incident."""

    rating: Literal[-1, 1]
    """1: it helped; -1: it did not"""
    incident_id: NotRequired[str | None]
    """Of this incident"""
    lookback_minutes: NotRequired[int | None]
    """Of what `GET /insights` said of so many minutes"""
    correction: str
    """What was the cause, in your words; shown with similar incidents"""
    service: str
    """Where the cause was"""
    kind: "NotRequired[FaultKind | None]"
    """What it was"""


Format = Literal["json", "csv", "ndjson", "parquet"]
"""What an answer is written as."""


class FormulaQuestion(TypedDict):
    """Several queries, and a formula of their names."""

    start_time: str
    """RFC 3339, or now-15m, now-1h, now-7d"""
    end_time: str
    """Not included"""
    step: NotRequired[str | None]
    """How long a step is; without it, `steps` decides"""
    steps: int
    """Into how many steps at most, of a length that people count in"""
    fill: Literal["null", "zero", "previous", "linear"]
    """What steps without a value have: null, zero, the value before (previous), or one on the line
    between its neighbours (linear)
    """
    limit: int
    """How many series at most, the largest first"""
    queries: dict[str, Any]
    """Queries by the names that the formula calls them"""
    formula: str
    """Numbers, names of queries, + - * / and brackets"""


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


class IncidentDetails(TypedDict):
    """One incident, with what its analysis found and what users said of it."""

    id: str
    """12 hex digits; empty where it was found for this answer and is not kept"""
    title: str
    status: Literal["open", "resolved"]
    severity: "Severity"
    start_time: str
    end_time: str | None
    """null: it goes on"""
    last_seen: str
    """The end of the last minute in which something was wrong"""
    services: list[str]
    """Those it touches, the root first"""
    signals: list[str]
    """What was noticed, one sentence each"""
    analysis: "AnalysisAnswer | None"
    """null: it has not been analysed yet"""
    feedback: "list[FeedbackShown]"
    """The latest first, at most 100"""


class IncidentPage(TypedDict):
    """Incidents, those that began last first."""

    incidents: "list[IncidentSummary]"
    next_cursor: str | None
    """For the page after this one; null: there is none"""
    start_time: str
    end_time: str


class IncidentSummary(TypedDict):
    """Signals that belong together in time and along the call graph."""

    id: str
    """12 hex digits; empty where it was found for this answer and is not kept"""
    title: str
    status: Literal["open", "resolved"]
    severity: "Severity"
    start_time: str
    end_time: str | None
    """null: it goes on"""
    last_seen: str
    """The end of the last minute in which something was wrong"""
    services: list[str]
    """Those it touches, the root first"""
    signals: list[str]
    """What was noticed, one sentence each"""


class IngestAnswer(TypedDict):
    """What was taken: it is on disk, and can be asked for a moment later."""

    accepted: int
    rejected: int
    errors: "list[BadItem]"
    """The items that were not taken; the others were."""


class Insights(TypedDict):
    """What broke in the last minutes, where, since when and why."""

    start_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    lookback_minutes: int
    incident_summary: str
    """What happened; plainly that nothing did, where it is so"""
    root_cause: str
    """Empty: none was found"""
    suggestion: str
    """What to do"""
    confidence: float
    """In the root cause"""
    error_groups: "list[ErrorGroupShown]"
    dependent_error_groups: "list[DependentErrorsShown]"
    timeline: "list[MomentShown]"
    """The earliest first"""
    recent_changes: "list[ChangeShown]"
    similar_incidents: "list[SimilarIncident]"
    root_causes: "list[RootCauseShown]"
    """The best first"""
    incidents: "list[IncidentSummary]"
    """Those of this time; the first is the one that is explained"""
    analyzed: "TimeWindow | None"
    """The window that the root causes are about; null: nothing was wrong"""
    baselines: "list[TimeWindow]"
    """The normal times that it was compared with"""
    patterns: list[str]
    """What is known of such incidents and fits, by its id"""
    source: Literal["rules", "llm"]
    """Whether a language model worded it"""
    model: str
    """Which one, where it did"""
    fallback_reason: str
    """Why a model that is set up did not word it"""
    notes: list[str]
    """What was not there, or not looked at"""


class Instance(TypedDict):
    """One process or container of a service."""

    id: str
    """`service.instance.id`"""
    host: str
    """`host.name`"""
    version: str
    environment: str
    first_seen: str
    """In the range. RFC 3339 in UTC, to the nanosecond"""
    last_seen: str
    """RFC 3339 in UTC, to the nanosecond"""


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


Kind = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]
"""What data points a metric has."""


class LineDifferenceShown(TypedDict):
    """Log records that are usual and missing here, or that hardly a sibling has."""

    service: str
    template: str
    """As `GET /logs/patterns` tells it"""
    severity_number: int
    count: int
    """In this trace"""
    seen_in: float
    """The share of siblings that have it"""
    log_ids: list[str]
    """Those here, at most 5"""
    trace_ids: list[str]
    """Siblings that have it, at most 5"""


class LinkingSpan(TypedDict):
    """A span, in whatever trace, that says it is related to this one."""

    trace_id: str
    """The linking span's trace"""
    span_id: str
    service_name: str
    name: str
    start_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    linked_span_ids: list[str]
    """The spans of this trace that it links to"""


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


class LogExample(TypedDict):
    """A log record of a pattern."""

    id: str
    """For `/logs/{id}/context`"""
    body: str
    """Its first line, at most 400 characters"""


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


class LogPattern(TypedDict):
    """Log records that say the same but for what varies."""

    id: str
    """The same for the same template, whenever it is asked"""
    template: str
    """The line, with `<number>`, `<ip>`, `<uuid>`, `<hex>`, `<timestamp>`, `<duration>`, `<path>`,
    `<quoted>` in place of these, and `<*>` where other words vary
    """
    count: int
    share: float
    """Of all that is counted here, 0 to 1"""
    levels: dict[str, int]
    """Counts by level, those that there are"""
    services: list[str]
    """Which services it came from, some 20 at most of each shape"""
    first_seen: str
    """RFC 3339 in UTC, to the nanosecond"""
    last_seen: str
    trend: "LogTrend"
    examples: "list[LogExample]"
    """Up to three, of different lines as far as there are"""


class LogPatterns(TypedDict):
    """The patterns of log records, the frequent ones first."""

    patterns: "list[LogPattern]"
    truncated: bool
    """Whether there are more patterns than were asked for"""
    total: int
    """How many log records fulfil the conditions"""
    sampled: bool
    """Whether only some were looked at: then counts are reckoned from these, and what is rare may be
    missing
    """
    looked_at: float
    """Which share of them was looked at, 0 to 1"""
    start_time: str
    end_time: str
    step_seconds: int


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


class LogTrend(TypedDict):
    """How often a pattern came."""

    word: "Trend"
    """The second half of the range beside the first: `new` and `gone` where one has none; `rising` and
    `falling`: half as many again, and more than chance would bring.
    """
    counts: list[int]
    """In each step of the range, the oldest first"""


class MetricAnswer(TypedDict):
    """What a question about metrics is answered with."""

    name: str
    """The metric's name, or the formula"""
    function: str
    unit: str
    start_time: str
    """The range of time widened to whole steps, RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    step_seconds: int
    times: list[str]
    """When each step begins"""
    series: "list[MetricSeries]"
    """The largest first"""
    truncated: bool
    """There are more series than `limit`"""
    notes: list[str]
    """What was done"""


class MetricAttribute(TypedDict):
    """An attribute of a metric's points, or of the resources they come from."""

    key: str
    """As it is written in `where` and `group_by`"""
    values: "list[ValueCount]"
    """The most frequent ones, at most 20, of the sample"""
    distinct: int
    """How many values there are in the sample, within 3 %"""


class MetricDetails(TypedDict):
    """One metric and how it can be asked for."""

    name: str
    kind: "Kind"
    """As it was sent last"""
    unit: str
    """As it was sent last, by UCUM"""
    description: str
    temporality: "Temporality | None"
    """null: this kind has none"""
    monotonic: bool
    """Of a sum: it only rises, and is asked for as a rate"""
    services: list[str]
    """Who sends it, at most 100"""
    series: int
    """How many series there are, within 3 %"""
    points: int
    """How many points were stored on the days of the range"""
    first_seen: str
    """RFC 3339 in UTC, to the nanosecond; within the days of the range"""
    last_seen: str
    conflicts: list[str]
    """In what its senders differ: kind, unit, monotonic"""
    functions: list[str]
    """What fits its kind in `POST /metrics/query`"""
    attributes: "list[MetricAttribute]"
    sample_start_time: str
    """Values are those of the points from here to `last_seen`"""
    sampled_points: int
    """How many points that were, at most 200,000"""


class MetricName(TypedDict):
    """One metric, in the range of time."""

    name: str
    kind: "Kind"
    """As it was sent last"""
    unit: str
    """As it was sent last, by UCUM"""
    description: str
    temporality: "Temporality | None"
    """null: this kind has none"""
    monotonic: bool
    """Of a sum: it only rises, and is asked for as a rate"""
    services: list[str]
    """Who sends it, at most 100"""
    series: int
    """How many series there are, within 3 %"""
    points: int
    """How many points were stored on the days of the range"""
    first_seen: str
    """RFC 3339 in UTC, to the nanosecond; within the days of the range"""
    last_seen: str
    conflicts: list[str]
    """In what its senders differ: kind, unit, monotonic"""


class MetricNames(TypedDict):
    """Some metrics, by name."""

    metrics: "list[MetricName]"
    next_cursor: str | None
    """Give it as `cursor` for the next page; null: this is the last"""
    start_time: str
    """Where the range of time began, RFC 3339 in UTC, to the nanosecond"""
    end_time: str


class MetricQuery(TypedDict):
    """Which metric, and what of it."""

    name: str
    """The metric's name, as it was sent"""
    function: str
    """rate, increase, sum, avg, min, max, last, count, p50, p90, p99.9, or quantile"""
    quantile: NotRequired[float | None]
    """With the function `quantile`: which, from 0 to 1"""
    kind: "NotRequired[Kind | None]"
    """Needed where one name is of several kinds"""
    service_name: list[str]
    """Of one of these services"""
    where: list[str]
    """Of attributes, all of it: `key=value`, `key!=value`, `key>5`, `key`, `!key`; after `resource.`
    the resource's
    """
    group_by: list[str]
    """One series for each value of these attributes; also `service_name` and `resource.…`"""


class MetricQuestion(TypedDict):
    """One metric over time."""

    start_time: str
    """RFC 3339, or now-15m, now-1h, now-7d"""
    end_time: str
    """Not included"""
    step: NotRequired[str | None]
    """How long a step is; without it, `steps` decides"""
    steps: int
    """Into how many steps at most, of a length that people count in"""
    fill: Literal["null", "zero", "previous", "linear"]
    """What steps without a value have: null, zero, the value before (previous), or one on the line
    between its neighbours (linear)
    """
    limit: int
    """How many series at most, the largest first"""
    name: str
    """The metric's name, as it was sent"""
    function: str
    """rate, increase, sum, avg, min, max, last, count, p50, p90, p99.9, or quantile"""
    quantile: NotRequired[float | None]
    """With the function `quantile`: which, from 0 to 1"""
    kind: "NotRequired[Kind | None]"
    """Needed where one name is of several kinds"""
    service_name: list[str]
    """Of one of these services"""
    where: list[str]
    """Of attributes, all of it: `key=value`, `key!=value`, `key>5`, `key`, `!key`; after `resource.`
    the resource's
    """
    group_by: list[str]
    """One series for each value of these attributes; also `service_name` and `resource.…`"""
    exemplars: bool
    """Tell measurements with the traces they were made in"""


class MetricSeries(TypedDict):
    """One line of an answer."""

    labels: dict[str, str]
    """By the keys of `group_by`; empty: there is no such attribute"""
    values: list[float | None]
    """One each time; null: nothing was told"""
    total: float | None
    """Of what adds up over time: the sum of the values; else null"""
    exemplars: "list[Exemplar]"
    """The largest, where they are asked for; at most 5"""


class MomentShown(TypedDict):
    """Something that happened."""

    time: str
    """RFC 3339 in UTC, to the nanosecond"""
    text: str
    service: str
    kind: str
    """change, release, instance, began, cause, evidence, first_error or ended"""


class NodeSide(TypedDict):
    """The span that stands at a place in one of the traces."""

    span_id: str
    start_offset_ns: int
    """From the start of the trace"""
    duration_ns: int
    self_time_ns: int
    """The duration without the time in which any of its children ran"""
    status: str
    """Unset, Ok or Error"""


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


class Operation(TypedDict):
    """What a service does under one name."""

    name: str
    """The spans' name; what looks like an id in it is a *"""
    kind: str
    """Internal, Server, Client, Producer, Consumer or Unspecified"""
    calls: int
    errors: int
    rate: float
    """Calls a second"""
    error_ratio: float
    p50_ns: int
    """Within 4.5 %"""
    p95_ns: int
    """Within 4.5 %"""
    p99_ns: int
    """Within 4.5 %"""
    last_seen: str
    """To the minute. RFC 3339 in UTC, to the nanosecond"""


class OtlpDocument(TypedDict):
    """An `ExportTraceServiceRequest` or an `ExportLogsServiceRequest` in OTLP's JSON."""

    resourceSpans: NotRequired[list[dict[str, Any]] | None]
    """Of an export of spans"""
    resourceLogs: NotRequired[list[dict[str, Any]] | None]
    """Of an export of log records"""


class PathSegment(TypedDict):
    """A stretch of time that the trace as a whole spent in one span itself."""

    span_id: str
    start_time_unix_nano: str
    """Nanoseconds since the Unix epoch, as text: JavaScript's numbers are too small for them"""
    duration_ns: int


class PathStepShown(TypedDict):
    """A place that a fault reached, and what it did there."""

    service: str
    operation: str
    effect: str


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


class Release(TypedDict):
    """One version of a service."""

    version: str
    first_seen: str
    """In the range. RFC 3339 in UTC, to the nanosecond"""
    last_seen: str
    """RFC 3339 in UTC, to the nanosecond"""
    instances: int
    requests: int | None
    """None where no request was seen that says its version"""
    error_ratio: float | None
    p95_ns: int | None


class RootCauseShown(TypedDict):
    """A place and a kind of fault, with why it is taken for the cause."""

    service: str
    operation: str
    kind: "FaultKind"
    """What went wrong there"""
    score: float
    """Of the evidence, at least 0; comparable within one answer"""
    confidence: float
    """Of those said with 0.8, about 8 in 10 are right"""
    reason: str
    resource: str
    """A pod, instance or host, where it is one of several"""
    dependency: str
    """What sends no telemetry itself, where that failed or was slow"""
    start_time: str | None
    """Since when"""
    evidence: "list[EvidenceShown]"
    path: "list[PathStepShown]"
    """From the cause to the symptom"""


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


class Service(TypedDict):
    """How a service does."""

    service_name: str
    status: Literal["healthy", "degraded", "critical"]
    """healthy: no errors; critical: at least 30 % of the log records are errors, or of the requests
    failed; degraded: less
    """
    total_logs: int
    """Log records"""
    error_count: int
    """Log records of the level error and above"""
    warning_count: int
    """Log records of the level warn"""
    last_seen: str
    """The last record of any signal. RFC 3339 in UTC, to the nanosecond"""
    last_heartbeat: str | None
    """The last heartbeat, none where there is none. RFC 3339 in UTC, to the nanosecond"""
    requests: int
    """Server and consumer spans"""
    failed_requests: int
    """Those with the status Error"""
    rate: float
    """Requests a second"""
    error_ratio: float | None
    """Failed requests to requests; none where there are none"""
    p50_ns: int | None
    """Median duration of requests in nanoseconds. Within 4.5 %"""
    p95_ns: int | None
    """Within 4.5 %"""
    p99_ns: int | None
    """Within 4.5 %"""
    spans: int
    """Spans of any kind"""
    version: str | None
    """`service.version`, the last that was seen"""
    versions: list[str]
    """All that were seen, up to 20"""
    environment: str | None
    """`deployment.environment.name`, the last that was seen"""
    environments: list[str]
    """All that were seen, up to 20"""
    instances: int
    """Distinct `service.instance.id` and `host.name`"""


class ServiceDetail(TypedDict):
    """One service whole."""

    service: "Service"
    operations: "list[Operation]"
    operations_truncated: bool
    """There are more operations than are told here"""
    called_by: "list[Dependency]"
    calls: "list[Dependency]"
    dependencies_start_time: str
    """Dependencies are those of the last hour of the range up to the last span. RFC 3339 in UTC, to
    the nanosecond
    """
    dependencies_end_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    dependencies_sampled: int
    """1: from all spans of that hour; N: from about one in N"""
    releases: "list[Release]"
    releases_sampled: int
    """1: from all requests; N: from about one in N"""
    instances: "list[Instance]"
    """The last seen first, up to 200"""
    step_seconds: int
    steps: "list[ServiceStep]"
    error_traces: "list[ErrorTrace]"
    """The newest first, up to 10"""
    start_time: str
    """The range in whole minutes. RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    """RFC 3339 in UTC, to the nanosecond"""


class ServiceDifference(TypedDict):
    """How a service's resource differs between the two: its version, its host."""

    service_name: str
    resource_attributes: "list[AttributeDifference]"
    """Of the service's first span in each, where they differ: the first 50 by their key"""


class ServiceEdge(TypedDict):
    """Calls from one node to another."""

    client: str
    """The id of a node"""
    server: str
    """The id of a node"""
    calls: int
    """Scaled up where the traces are sampled"""
    errors: int
    """Calls that failed at either side"""
    rate: float
    """Calls a second"""
    client_p50_ns: int | None
    """As the client measured it"""
    client_p95_ns: int | None
    server_p50_ns: int | None
    """As the server measured it"""
    server_p95_ns: int | None


class ServiceError(TypedDict):
    """A type of error of a service."""

    service: str
    type: str


class ServiceList(TypedDict):
    """Services, by name."""

    services: "list[Service]"
    start_time: str
    """The range in whole minutes. RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    truncated: bool
    """There are more services than are told here"""


class ServiceMap(TypedDict):
    """Who calls whom."""

    nodes: "list[ServiceNode]"
    edges: "list[ServiceEdge]"
    sampled: int
    """1: edges are of all traces; N: of about one in N, scaled up"""
    start_time: str
    """The range in whole minutes. RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    truncated: bool
    """There are more nodes or edges than are told here"""


class ServiceNode(TypedDict):
    """A service, or what services call that sends no spans of its own."""

    id: str
    """Kind and name: service:checkout"""
    kind: Literal["service", "database", "queue", "external"]
    name: str
    system: str
    """Of a database or queue: postgresql, kafka, …"""
    requests: int
    rate: float
    """Requests a second"""
    error_ratio: float | None
    p95_ns: int | None


class ServiceStep(TypedDict):
    """Requests of a stretch of time."""

    time: str
    """When it begins. RFC 3339 in UTC, to the nanosecond"""
    requests: int
    failed_requests: int
    rate: float
    """Requests a second"""
    p95_ns: int | None


Severity = Literal["critical", "high", "medium", "low"]
"""How bad it is, as alerts have it; the worst first."""


class SiblingsShown(TypedDict):
    """Normal traces of the same root service and operation: none of their spans failed, none was slow."""

    count: int
    start_time: str
    """Between this and `end_time` they were looked for"""
    end_time: str
    median_duration_ns: int | None
    """Of their root spans"""
    p95_duration_ns: int | None
    trace_ids: list[str]
    """Some of them: `GET /traces/compare` shows one beside this"""


class SimilarIncident(TypedDict):
    """An earlier incident like this one, and what was found to be its cause."""

    id: str
    title: str
    start_time: str
    end_time: str | None
    found: str
    """What a user said was the cause, else what the analysis found"""
    likeness: float


class SpanEvent(TypedDict):
    """Something that happened during the span."""

    time: str
    """RFC 3339 in UTC, to the nanosecond"""
    time_unix_nano: str
    """Nanoseconds since the Unix epoch, as text: JavaScript's numbers are too small for them"""
    name: str
    attributes: dict[str, str]


class SpanFindingShown(TypedDict):
    """A place that explains what is unusual."""

    service: str
    operation: str
    kind: "FaultKind"
    score: float
    """How much of it: the share of the time, 1 for a failure"""
    reason: str
    span_ids: list[str]
    """Of this trace, at most 5; empty for log records of no span"""


class SpanLink(TypedDict):
    """A span that this one is related to, in whatever trace."""

    trace_id: str
    span_id: str
    trace_state: str
    attributes: dict[str, str]


class SpanShown(TypedDict):
    """A span, and what is usual at its place: the same way of services and operations from the root."""

    span_id: str
    parent_span_id: str | None
    service: str
    operation: str
    kind: str
    depth: int
    start_time: str
    duration_ns: int
    own_time_ns: int
    """The time of its own that the trace waited for, in nanoseconds"""
    usual_own_time_ns: int | None
    """The siblings' median; null: none has such a span"""
    usual_p95_ns: int | None
    """Of 95 % of the siblings' spans it is no more than that"""
    seen_in: float
    """The share of siblings that have a span at this place"""
    failed: bool
    """Its status is Error"""
    unusual: bool
    """Failed, slower than 95 % of the siblings' in a slow trace, or new"""


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


Temporality = Literal["unspecified", "delta", "cumulative"]
"""What a point of a sum or histogram counts from."""


class TimeWindow(TypedDict):
    """From `start_time` up to, and without, `end_time`."""

    start_time: str
    """RFC 3339 in UTC, to the nanosecond"""
    end_time: str
    """RFC 3339 in UTC, to the nanosecond"""


class Trace(TypedDict):
    """Everything that is kept of one trace, each list in the order of time."""

    trace_id: str
    """32 hex digits, in lower case"""
    duration_ns: int
    """From the start of the first span to the end of the last"""
    services: list[str]
    """In the order in which they came in"""
    span_count: int
    """How many spans are kept of it, be they told here or not"""
    errors: int
    """Spans with the status Error"""
    critical_path: "list[PathSegment]"
    """What the longest root span waited for: its time from start to end, without a gap. Shortening
    anything else makes it no faster.
    """
    spans: "list[TraceSpan]"
    logs: "list[LogRecord]"
    """With its id, from an hour before its start to an hour after its end; where nothing is kept of
    its spans, at whatever time
    """
    linked_from: "list[LinkingSpan]"
    """Spans that link to it, from its start to an hour after its end, at most 100"""
    truncated: bool
    """The trace has more spans or log records than are told here"""


class TraceComparison(TypedDict):
    """Two traces, matched by the structure of their trees."""

    a: "ComparedTrace"
    b: "ComparedTrace"
    duration_difference_ns: int
    """Of b less that of a"""
    contributors: "list[Contributor]"
    """The operations whose self time differs most, at most 20. What runs at once counts for each, so
    that their sum may be more than the difference of the durations
    """
    errors_appeared: "list[ComparedError]"
    """In b alone, at most 100"""
    errors_gone: "list[ComparedError]"
    """In a alone, at most 100"""
    services: "list[ServiceDifference]"
    """Those in both whose resource differs, at most 100"""
    nodes: "list[ComparedNode]"
    """Every parent before its children; those of a in the order of time, then those in b alone"""


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


Trend = Literal["new", "rising", "steady", "falling", "gone"]
"""How the second half of a range compares with the first."""


class ValidationError(TypedDict):
    """ValidationError."""

    loc: list[str | int]
    msg: str
    type: str
    input: NotRequired[Any]
    ctx: NotRequired[dict[str, Any]]


class ValueCount(TypedDict):
    """How many points have one value of an attribute."""

    value: str
    points: int
