"""The collector's own metrics, each declared once, here and nowhere else.

A class a room; `docs/metrics.md` is made from what stands here. A label's values are few: signals,
kinds, transports, reasons, what is configured. `project` is one of those that exist.
"""

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from glasshouse_collector.core.declarations import counter, gauge, histogram, make_all

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Receiving:
    """What was let in, and what was not.

    Received means kept: a request is counted when the journal has it on disk, and its answer is known.
    """

    received_records = counter(
        "glasshouse_received_records",
        "Spans, log records and data points accepted and on disk",
        "records",
        ("kind", "project", "transport"),
    )
    received_requests = counter(
        "glasshouse_received_requests",
        "Requests answered with success, also those without an acceptable record",
        "requests",
        ("kind", "project", "transport"),
    )
    received_bytes = counter(
        "glasshouse_received_bytes",
        "Bytes of the accepted requests, as protobuf, uncompressed",
        "bytes",
        ("kind", "project", "transport"),
    )
    refused_requests = counter(
        "glasshouse_refused_requests",
        "Requests refused whole, by reason; kind and project are empty where they were not known yet",
        "requests",
        ("transport", "reason", "kind", "project"),
    )
    failed_attempts = counter(
        "glasshouse_failed_attempts",
        "Requests without a key that opens what was asked for (ingest, read or admin), by reason",
        "requests",
        ("scope", "reason"),
    )
    rejected_records = counter(
        "glasshouse_rejected_records",
        "Records refused within accepted requests (partial success), by reason",
        "records",
        ("kind", "reason", "project"),
    )
    last_received_timestamp_seconds = gauge(
        "glasshouse_last_received_timestamp_seconds",
        "When the last request that was kept came in; no series before the first since the start",
        "seconds since 1970",
        ("project",),
    )
    grpc_server_info = gauge(
        "glasshouse_grpc_server_info",
        "1 for the server that takes OTLP over gRPC: native, or grpcio (slower)",
        "1",
        ("server",),
    )
    self_dropped = counter(
        "glasshouse_self_dropped",
        "Batches of the collector's own telemetry it could not take in, by reason",
        "batches",
        ("kind", "reason"),
    )


class Journaling:
    """The queue on disk, between what lets in and what delivers.

    Records are journaled before they are received: what is here and not there was kept, but its
    sender left before the answer and may send it again.
    """

    journaled_records = counter(
        "glasshouse_journaled_records",
        "Records in frames that the journal has on disk, answered or not",
        "records",
        ("kind", "project"),
    )
    journaled_bytes = counter(
        "glasshouse_journaled_bytes",
        "Bytes written to the journal: compressed frames with their heads",
        "bytes",
        ("kind", "project"),
    )
    journal_bytes = gauge("glasshouse_journal_bytes", "Bytes of journal segments on disk", "bytes")
    journal_max_bytes = gauge(
        "glasshouse_journal_max_bytes",
        "Bytes at which the journal is full and senders are told to come back (`journal.max_bytes`)",
        "bytes",
    )
    journal_oldest_seconds = gauge(
        "glasshouse_journal_oldest_seconds",
        "Age of the oldest frame a consumer has not delivered; 0 where all is delivered",
        "seconds",
        ("consumer",),
    )
    journal_lag_frames = gauge(
        "glasshouse_journal_lag_frames", "Frames a consumer has not delivered yet", "frames", ("consumer",)
    )
    journal_fsync_seconds = histogram(
        "glasshouse_journal_fsync_seconds", "Time of one group commit's fsync", "seconds", buckets=_SECONDS
    )
    journal_repaired_bytes = counter(
        "glasshouse_journal_repaired_bytes", "Bytes of torn or corrupted frames set aside at open", "bytes"
    )


class Forming:
    """Requests made into batches, and what processors do to them.

    A run that is formed again (after a restart, or for an exporter that is behind) counts again.
    The clock skew is known of at most 500 services, those heard last, for an hour of silence.
    """

    codec_info = gauge(
        "glasshouse_codec_info", "1 for the decoder that runs: native, or python (slower)", "1", ("codec",)
    )
    decode_seconds = histogram(
        "glasshouse_decode_seconds",
        "Time to decode one run, by the kinds of request in it",
        "seconds",
        ("kind",),
        buckets=_SECONDS,
    )
    clock_skew_seconds = gauge(
        "glasshouse_clock_skew_seconds",
        "Receipt minus the newest record's time, of a service's last records; negative: its clock is ahead",
        "seconds",
        ("project", "service_name"),
    )
    truncated_values = counter(
        "glasshouse_truncated_values",
        "Values or attributes cut by the limit processor",
        "values",
        ("signal", "what"),
    )
    redacted_values = counter(
        "glasshouse_redacted_values", "Values hidden by the redact processor", "values", ("signal", "rule")
    )


class Delivering:
    """Batches on their way to where they are kept.

    An exporter that makes metrics of what it is given delivers it too, so what is exported is told by
    exporter: `exporter="clickhouse"` is what was written to the store.
    """

    export_seconds = histogram(
        "glasshouse_export_seconds",
        "Time of one delivery of a batch, failed ones included; exporter clickhouse: the insert",
        "seconds",
        ("exporter", "signal"),
        buckets=_SECONDS,
    )
    exported_records = counter(
        "glasshouse_exported_records", "Records delivered", "records", ("exporter", "signal", "project")
    )
    export_failures = counter(
        "glasshouse_export_failures",
        "Deliveries that failed and are tried again",
        "deliveries",
        ("exporter", "signal"),
    )
    exporter_up = gauge(
        "glasshouse_exporter_up",
        "1 while an exporter is started and its last delivery succeeded, else 0",
        "1",
        ("exporter",),
    )
    store_up = gauge("glasshouse_store_up", "1 while the store is connected, else 0", "1")
    freshness_seconds = histogram(
        "glasshouse_freshness_seconds",
        "From the acceptance of a run's first frame to the delivery of the run",
        "seconds",
        ("exporter",),
        buckets=_SECONDS,
    )
    dead_letters = counter(
        "glasshouse_dead_letters",
        "Batches an exporter refused for good, and undecodable requests",
        "batches",
        ("exporter", "signal"),
    )


class Showing:
    """The series that the Prometheus exporter makes of telemetry and shows beside these."""

    prometheus_series = gauge("glasshouse_prometheus_series", "Exposition lines held", "lines")
    prometheus_max_series = gauge(
        "glasshouse_prometheus_max_series", "Exposition lines at which new label sets overflow", "lines"
    )
    prometheus_overflow = counter(
        "glasshouse_prometheus_overflow",
        "Label sets or points that came above the limit and went to the overflow series",
        "label sets or points",
        ("family",),
    )
    prometheus_dropped_points = counter(
        "glasshouse_prometheus_dropped_points",
        "Data points not shown, by reason",
        "points",
        ("reason",),
    )


class Watching:
    """The job that finds incidents ([insights job](insights-job.md)).

    It works in one thread at a time, and so do its queries: the seconds it takes are at most its CPU.
    """

    incidents = counter(
        "glasshouse_incidents",
        "Incidents found, by the kind of fault that their analysis named first",
        "incidents",
        ("severity", "kind"),
    )
    incidents_open = gauge(
        "glasshouse_incidents_open", "Incidents that have not ended", "incidents", ("project",)
    )
    insights_seconds = histogram(
        "glasshouse_insights_seconds",
        "Time that the job worked, by step; at most so much CPU",
        "seconds",
        ("step",),
        buckets=_SECONDS,
    )
    insights_failures = counter(
        "glasshouse_insights_failures",
        "Steps of the job that failed; they are tried again at the next round",
        "steps",
        ("step",),
    )
    insights_leader = gauge(
        "glasshouse_insights_leader",
        "1 while this collector is the one of many that does the job, else 0",
        "1",
    )
    insights_last_round = gauge(
        "glasshouse_insights_last_round_timestamp_seconds",
        "When this collector last looked at all projects without a failure; 0 before the first time",
        "seconds since 1970",
    )


class Beside:
    """What lives beside the data path: the API, alerts, certificates."""

    api_requests = counter(
        "glasshouse_api_requests", "Requests the API answered", "requests", ("method", "route", "status")
    )
    api_seconds = histogram(
        "glasshouse_api_seconds",
        "Time to answer a request to the API",
        "seconds",
        ("route",),
        buckets=_SECONDS,
    )
    api_slow_questions = counter(
        "glasshouse_api_slow_questions",
        "Questions to the store that took longer than api.slow_query_seconds",
        "questions",
        ("route",),
    )
    alerts_received = counter(
        "glasshouse_alerts_received", "Alerts that the webhook has kept", "alerts", ("status",)
    )
    certificate_expiry = gauge(
        "glasshouse_certificate_expiry_timestamp_seconds",
        "When the first certificate of a file ends; 0 where the file cannot be read",
        "seconds since 1970",
        ("file",),
    )
    certificate_reloads = counter(
        "glasshouse_certificate_reloads",
        "Changes of the files of `tls`, by what became of them",
        "changes",
        ("outcome",),
    )


class Wording:
    """The language model that may word what insights find, where one is configured."""

    model_answers = counter(
        "glasshouse_insights_model_answers",
        "Questions to the language model, by whether its answer was used",
        "questions",
        ("result",),
    )
    model_tokens = histogram(
        "glasshouse_insights_model_tokens",
        "Tokens of one call of the language model, as its server counts them",
        "tokens",
        ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"),
        buckets=[4.0**power for power in range(14)],
    )


ROOMS: dict[str, type] = {
    "What comes in": Receiving,
    "The journal": Journaling,
    "Decoding and processors": Forming,
    "Delivery": Delivering,
    "The Prometheus exporter": Showing,
    "The insights job": Watching,
    "API, alerts, certificates": Beside,
    "The language model": Wording,
}

LABELS = {
    "codec": "`native` or `python`",
    "consumer": "an exporter, also one that is not configured any more and that the journal keeps for",
    "exporter": "an exporter, by its name in the configuration",
    "family": "the metric family, as on the page",
    "file": "the path, as configured",
    "gen_ai_operation_name": "`chat`",
    "gen_ai_provider_name": "whose protocol is spoken, by the address: `openai` where it tells nothing else",
    "gen_ai_request_model": "the model, as configured",
    "gen_ai_token_type": "`input` or `output`",
    "kind": "the OTLP service called: `traces`, `logs`, `metrics`; of `decode_seconds` a run's, by `+`; "
    "of incidents the kind of fault, such as `exception`, or `unknown`",
    "method": "the HTTP method",
    "outcome": "`reloaded`: used for new connections; `kept`: of no use, so that what was before stays",
    "project": "whose telemetry it is: `default` unless its key says otherwise, `_self` the collector's own",
    "reason": "why, in a word",
    "result": "`used`, or why the rules' words stood: `not_installed`, `no_budget`, `unreachable`, "
    "`timed_out`, `refused`, `failed`, `malformed`, `not_grounded`",
    "route": "the pattern of the route, not the path asked for",
    "rule": "the rule of the redact processor that hid it",
    "scope": "what was asked for: `ingest`, `read`, `admin`",
    "server": "`native` or `grpcio`",
    "severity": "of incidents: `critical`, `high`, `medium`, `low`",
    "service_name": "`service.name`, its first 256 characters",
    "signal": "the kind of row: `traces`, `logs`, `metrics_gauge`, …; of an undecodable request its kind",
    "status": "of API requests the HTTP status, of alerts `firing` or `resolved`",
    "step": "of the insights job: `lease`, `projects`, `detect`, `analyse`, `tell`, `alert`",
    "transport": "the door it came through: `otlp_grpc`, `otlp_http`; `api_logs` and `api_ingest` for "
    "older clients; `self` for the collector's own; `insights` for its incidents; `api`",
    "what": "`attributes` beyond those one map may have, the `value` of an attribute, or any other `text`",
}
"""What the labels' values are."""


class Metrics(Receiving, Journaling, Forming, Delivering, Showing, Watching, Beside, Wording):
    """One collector's metrics, on a registry of their own (so that a test can have many)."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        make_all(self, self.registry)
