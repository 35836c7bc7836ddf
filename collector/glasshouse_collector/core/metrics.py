"""The collector's own metrics, each declared once, here and nowhere else."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """One collector's metrics, on a registry of their own (so that a test can have many)."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

        self.received_records = Counter(
            "glasshouse_received_records",
            "Records accepted and on disk",
            ("kind", "project", "transport"),
            registry=registry,
        )
        self.received_requests = Counter(
            "glasshouse_received_requests",
            "Requests answered with success",
            ("kind", "transport"),
            registry=registry,
        )
        self.received_bytes = Counter(
            "glasshouse_received_bytes",
            "Bytes of accepted requests, uncompressed",
            ("kind", "transport"),
            registry=registry,
        )
        self.refused_requests = Counter(
            "glasshouse_refused_requests",
            "Requests refused, by reason",
            ("transport", "reason"),
            registry=registry,
        )
        self.rejected_records = Counter(
            "glasshouse_rejected_records",
            "Records refused within accepted requests (partial success)",
            ("kind", "reason"),
            registry=registry,
        )
        self.journal_bytes = Gauge(
            "glasshouse_journal_bytes", "Bytes of journal segments on disk", registry=registry
        )
        self.journal_oldest_seconds = Gauge(
            "glasshouse_journal_oldest_seconds",
            "Age of the oldest frame a consumer has not delivered",
            ("consumer",),
            registry=registry,
        )
        self.journal_lag_frames = Gauge(
            "glasshouse_journal_lag_frames",
            "Frames a consumer has not delivered yet",
            ("consumer",),
            registry=registry,
        )
        self.journal_fsync_seconds = Histogram(
            "glasshouse_journal_fsync_seconds",
            "Time of one group commit's fsync",
            buckets=_SECONDS,
            registry=registry,
        )
        self.journal_repaired_bytes = Counter(
            "glasshouse_journal_repaired_bytes",
            "Bytes of torn or corrupted frames set aside at open",
            registry=registry,
        )
        self.decode_seconds = Histogram(
            "glasshouse_decode_seconds",
            "Time to decode one run",
            ("kind",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.export_seconds = Histogram(
            "glasshouse_export_seconds",
            "Time to deliver one batch",
            ("exporter", "signal"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.exported_records = Counter(
            "glasshouse_exported_records", "Records delivered", ("exporter", "signal"), registry=registry
        )
        self.export_failures = Counter(
            "glasshouse_export_failures",
            "Deliveries that failed and are tried again",
            ("exporter", "signal"),
            registry=registry,
        )
        self.freshness_seconds = Histogram(
            "glasshouse_freshness_seconds",
            "From a frame's acceptance to its delivery",
            ("exporter",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.dead_letters = Counter(
            "glasshouse_dead_letters",
            "Batches permanently refused by an exporter",
            ("exporter", "signal"),
            registry=registry,
        )
        self.truncated_values = Counter(
            "glasshouse_truncated_values",
            "Values or attributes cut by the limit processor",
            ("signal", "what"),
            registry=registry,
        )
        self.redacted_values = Counter(
            "glasshouse_redacted_values",
            "Values hidden by the redact processor",
            ("signal", "rule"),
            registry=registry,
        )
        self.codec_info = Gauge(
            "glasshouse_codec_info",
            "Which decoder runs: native, or python (slower)",
            ("codec",),
            registry=registry,
        )
        self.grpc_server_info = Gauge(
            "glasshouse_grpc_server_info",
            "Which server takes OTLP over gRPC: native, or grpcio (slower)",
            ("server",),
            registry=registry,
        )
        self.api_requests = Counter(
            "glasshouse_api_requests",
            "Requests the API answered",
            ("method", "route", "status"),
            registry=registry,
        )
        self.api_seconds = Histogram(
            "glasshouse_api_seconds",
            "Time to answer a request to the API",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.self_dropped = Counter(
            "glasshouse_self_dropped",
            "Batches of the collector's own telemetry it could not take in, by reason",
            ("kind", "reason"),
            registry=registry,
        )
