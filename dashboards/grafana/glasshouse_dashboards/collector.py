"""Collector: whether it lets in, keeps and delivers what is sent, and what it costs."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards.expressions import quantile, rate
from glasshouse_dashboards.frame import (
    COLLECTOR,
    Frame,
    Section,
    alerts_shown,
    label_values,
    prometheus_source,
)
from glasshouse_dashboards.panels import (
    BYTES,
    COUNT,
    GREEN,
    NONE_IS_RIGHT,
    RATE,
    RED,
    SECONDS,
    YELLOW,
    AnyPanel,
    Column,
    Scale,
    graph,
    listing,
    number,
)
from glasshouse_dashboards.queries import now, over_time

_OF = 'instance=~"$instance"'
_UP = Scale("short", ((1, GREEN),), base=RED, least=0, most=1)
_RECORDS = Scale("cps", least=0)
_BYTES_A_SECOND = Scale("Bps", least=0)
_FULL = Scale("percentunit", ((0.5, YELLOW), (0.8, RED)), least=0, most=1)
_BEHIND = Scale("s", ((60, YELLOW), (300, RED)), least=0)
_FSYNC = Scale("s", ((0.1, YELLOW), (1, RED)), least=0)
_WRONG = Scale("cps", ((0.000001, RED),), least=0)
_SKEW = Scale("s", ((60, YELLOW), (300, RED)))
_LEFT = Scale("s", ((7 * 86400, YELLOW), (21 * 86400, GREEN)), base=RED)


def collector() -> Dashboard:
    """Return the dashboard."""
    return _FRAME.around(
        Section("At a glance", _at_a_glance()),
        Section("Let in", (*_let_in(), *_refused())),
        Section("Journal", (*_journal(), *_written())),
        Section("Decoded", _decoded()),
        Section("Delivered", _delivered()),
        Section("Metrics for Prometheus", _series()),
        Section("API, alerts, certificates", _beside()),
        Section("Process", _process()),
    )


_FRAME = Frame(
    uid=COLLECTOR,
    title="Collector",
    description="The collector's own health: what it lets in, keeps and delivers, and what it costs.",
    variables=(
        prometheus_source(),
        label_values("instance", "glasshouse_journal_bytes", "instance", what="Which collector."),
    ),
    annotations=(alerts_shown('alertname=~".+",job="glasshouse"'),),
)


def _at_a_glance() -> tuple[AnyPanel, ...]:
    full = f"max(glasshouse_journal_bytes{{{_OF}}} / glasshouse_journal_max_bytes{{{_OF}}})"
    dead = f"sum(increase(glasshouse_dead_letters_total{{{_OF}}}[$__range])) or vector(0)"
    return (
        number(
            "Collectors",
            "How many Prometheus reaches.",
            Scale("short", ((1, GREEN),), base=RED, least=0),
            now(f'sum(up{{job="glasshouse",{_OF}}})'),
            wide=4,
        ),
        number(
            "Store", "1 while the store is connected.", _UP, now(f"min(glasshouse_store_up{{{_OF}}})"), wide=4
        ),
        number(
            "Exporters",
            "1 while the last delivery of each exporter succeeded.",
            _UP,
            now(f"min by (exporter) (glasshouse_exporter_up{{{_OF}}})", "{{exporter}}"),
            wide=4,
        ),
        number(
            "Journal",
            "Share of its limit that is filled; full, senders are told to wait.",
            _FULL,
            now(full),
            wide=4,
        ),
        number(
            "Oldest undelivered",
            "Age of the oldest frame that some consumer has not delivered.",
            _BEHIND,
            now(f"max(glasshouse_journal_oldest_seconds{{{_OF}}})"),
            wide=4,
        ),
        number(
            "Dead letters", "Batches refused for good, in the time shown.", NONE_IS_RIGHT, now(dead), wide=4
        ),
    )


def _let_in() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Records received",
            "Records a second, by kind and project.",
            _RECORDS,
            over_time(_rate("glasshouse_received_records_total", "kind, project"), "{{kind}} {{project}}"),
            wide=8,
            stacked=True,
        ),
        graph(
            "Requests received",
            "Requests a second, by transport and kind.",
            RATE,
            over_time(
                _rate("glasshouse_received_requests_total", "transport, kind"), "{{transport}} {{kind}}"
            ),
            wide=8,
        ),
        graph(
            "Bytes received",
            "Bytes of requests a second after decompression, by project.",
            _BYTES_A_SECOND,
            over_time(_rate("glasshouse_received_bytes_total", "project"), "{{project}}"),
            wide=8,
        ),
    )


def _refused() -> tuple[AnyPanel, ...]:
    ago = f"time() - max by (project) (glasshouse_last_received_timestamp_seconds{{{_OF}}})"
    return (
        graph(
            "Refused requests",
            "Requests a second that got no OK, by reason.",
            _WRONG,
            over_time(
                _rate("glasshouse_refused_requests_total", "transport, reason"), "{{transport}} {{reason}}"
            ),
            wide=8,
        ),
        graph(
            "Rejected records",
            "Records a second left out of requests that were else accepted, by reason.",
            _WRONG,
            over_time(_rate("glasshouse_rejected_records_total", "kind, reason"), "{{kind}} {{reason}}"),
            wide=8,
        ),
        graph(
            "Silence",
            "Time since something was received, by project.",
            _BEHIND,
            over_time(ago, "{{project}}"),
            wide=8,
        ),
    )


def _journal() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Journal size",
            "Bytes on disk, and the limit.",
            BYTES,
            over_time(f"glasshouse_journal_bytes{{{_OF}}}", "{{instance}}"),
            over_time(f"glasshouse_journal_max_bytes{{{_OF}}}", "limit {{instance}}"),
            wide=6,
        ),
        graph(
            "Behind",
            "Age of the oldest frame that each consumer has not delivered.",
            _BEHIND,
            over_time(f"max by (consumer) (glasshouse_journal_oldest_seconds{{{_OF}}})", "{{consumer}}"),
            wide=6,
        ),
        graph(
            "Frames that wait",
            "Frames each consumer has not delivered yet.",
            COUNT,
            over_time(f"sum by (consumer) (glasshouse_journal_lag_frames{{{_OF}}})", "{{consumer}}"),
            wide=6,
        ),
        graph(
            "fsync",
            "Time until the disk has what was written; senders wait for it.",
            _FSYNC,
            over_time(_quantile(0.5, "glasshouse_journal_fsync_seconds"), "p50"),
            over_time(_quantile(0.99, "glasshouse_journal_fsync_seconds"), "p99"),
            wide=6,
        ),
    )


def _written() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Written",
            "Records a second that are on disk, by kind.",
            _RECORDS,
            over_time(_rate("glasshouse_journaled_records_total", "kind"), "{{kind}}"),
            wide=8,
        ),
        graph(
            "Bytes written",
            "Compressed bytes a second, by project.",
            _BYTES_A_SECOND,
            over_time(_rate("glasshouse_journaled_bytes_total", "project"), "{{project}}"),
            wide=8,
        ),
        number(
            "Set aside",
            "Bytes of damaged frames found at the start.",
            Scale("bytes", ((1, RED),), least=0),
            now(f"sum(glasshouse_journal_repaired_bytes_total{{{_OF}}})"),
            wide=8,
        ),
    )


def _decoded() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Decoding",
            "p95 of the time to decode a run, by kinds of request.",
            SECONDS,
            over_time(_quantile(0.95, "glasshouse_decode_seconds", "kind"), "{{kind}}"),
            wide=6,
        ),
        graph(
            "Cut values",
            "Values a second that were longer than the limit.",
            _RECORDS,
            over_time(_rate("glasshouse_truncated_values_total", "signal, what"), "{{signal}} {{what}}"),
            wide=6,
        ),
        graph(
            "Hidden values",
            "Values a second that the redact processor hid, by rule.",
            _RECORDS,
            over_time(_rate("glasshouse_redacted_values_total", "signal, rule"), "{{signal}} {{rule}}"),
            wide=6,
        ),
        graph(
            "Clock skew",
            "Receipt minus the newest record's time; negative: the sender's clock is ahead.",
            _SKEW,
            over_time(
                f"topk(10, max by (project, service_name) (abs(glasshouse_clock_skew_seconds{{{_OF}}})))",
                "{{service_name}}",
            ),
            wide=6,
        ),
    )


def _delivered() -> tuple[AnyPanel, ...]:
    by, name = "exporter, signal", "{{exporter}} {{signal}}"
    return (
        graph(
            "Records delivered",
            "Records a second, by exporter and signal.",
            _RECORDS,
            over_time(_rate("glasshouse_exported_records_total", by), name),
            wide=8,
        ),
        graph(
            "Durations of deliveries",
            "p95, by exporter and signal; clickhouse: the insert.",
            SECONDS,
            over_time(_quantile(0.95, "glasshouse_export_seconds", by), name),
            wide=8,
        ),
        graph(
            "Freshness",
            "p95 of the time from the acceptance of a record to its delivery.",
            _BEHIND,
            over_time(_quantile(0.95, "glasshouse_freshness_seconds", "exporter"), "{{exporter}}"),
            wide=8,
        ),
        graph(
            "Failed deliveries",
            "Deliveries a second that are tried again.",
            _WRONG,
            over_time(_rate("glasshouse_export_failures_total", by), name),
            wide=12,
        ),
        graph(
            "Dead letters over time",
            "Batches refused for good, in 5 minutes.",
            NONE_IS_RIGHT,
            over_time(f"sum by ({by}) (increase(glasshouse_dead_letters_total{{{_OF}}}[5m]))", name),
            wide=12,
        ),
    )


def _series() -> tuple[AnyPanel, ...]:
    return (
        graph(
            "Lines on the page",
            "Exposition lines that the Prometheus exporter holds, and the limit.",
            COUNT,
            over_time(f"glasshouse_prometheus_series{{{_OF}}}", "{{instance}}"),
            over_time(f"glasshouse_prometheus_max_series{{{_OF}}}", "limit {{instance}}"),
            wide=8,
        ),
        graph(
            "Overflow",
            "Label sets or points a second above the limit, by family.",
            _WRONG,
            over_time(_rate("glasshouse_prometheus_overflow_total", "family"), "{{family}}"),
            wide=8,
        ),
        graph(
            "Points not shown",
            "Data points a second that the page cannot show, by reason.",
            _RECORDS,
            over_time(_rate("glasshouse_prometheus_dropped_points_total", "reason"), "{{reason}}"),
            wide=8,
        ),
    )


def _beside() -> tuple[AnyPanel, ...]:
    left = f"min by (file) (glasshouse_certificate_expiry_timestamp_seconds{{{_OF}}}) - time()"
    return (
        graph(
            "API requests",
            "Requests a second, by route and status.",
            RATE,
            over_time(_rate("glasshouse_api_requests_total", "route, status"), "{{route}} {{status}}"),
            wide=6,
        ),
        graph(
            "API durations",
            "p95 by route.",
            SECONDS,
            over_time(_quantile(0.95, "glasshouse_api_seconds", "route"), "{{route}}"),
            wide=6,
        ),
        graph(
            "Alerts received",
            "Alerts a second that the webhook has kept.",
            RATE,
            over_time(_rate("glasshouse_alerts_received_total", "status"), "{{status}}"),
            wide=6,
        ),
        number(
            "Certificates", "Time until the first of each file ends.", _LEFT, now(left, "{{file}}"), wide=6
        ),
        graph(
            "Own telemetry left out",
            "Batches a second of the collector's own telemetry that found no room.",
            _WRONG,
            over_time(_rate("glasshouse_self_dropped_total", "kind, reason"), "{{kind}} {{reason}}"),
            wide=24,
        ),
    )


def _process() -> tuple[AnyPanel, ...]:
    own = f'job="glasshouse",{_OF}'
    return (
        graph(
            "CPU",
            "Cores that the collector uses.",
            Scale("short", least=0),
            over_time(rate("process_cpu_seconds_total", own, "instance"), "{{instance}}"),
            wide=8,
        ),
        graph(
            "Memory",
            "Resident memory.",
            BYTES,
            over_time(f"process_resident_memory_bytes{{{own}}}", "{{instance}}"),
            wide=8,
        ),
        graph(
            "Open files",
            "File descriptors, and the limit.",
            COUNT,
            over_time(f"process_open_fds{{{own}}}", "{{instance}}"),
            over_time(f"process_max_fds{{{own}}}", "limit {{instance}}"),
            wide=8,
        ),
        listing(
            "What runs",
            "The decoder and the gRPC server of each collector, and when it was started.",
            {"instance": "Collector"},
            {
                "Decoder": f"max by (instance, codec) (glasshouse_codec_info{{{_OF}}})",
                "gRPC server": f"max by (instance, server) (glasshouse_grpc_server_info{{{_OF}}})",
                "Up for": f"time() - max by (instance) (process_start_time_seconds{{{own}}})",
            },
            {"Up for": Column(SECONDS)},
        ),
    )


def _rate(counter: str, by: str) -> str:
    return rate(counter, _OF, by)


def _quantile(share: float, histogram: str, by: str = "") -> str:
    return quantile(share, histogram, _OF, by)
