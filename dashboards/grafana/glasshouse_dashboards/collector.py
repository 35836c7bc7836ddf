"""Collector: whether it lets in, keeps and delivers what is sent, and what it costs."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from glasshouse_dashboards import collector_data_path as data_path
from glasshouse_dashboards.collector_data_path import BEHIND, OF, WRONG, p95_of, rate_of
from glasshouse_dashboards.expressions import rate
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

_UP = Scale("short", ((1, GREEN),), base=RED, least=0, most=1)
_FULL = Scale("percentunit", ((0.5, YELLOW), (0.8, RED)), least=0, most=1)
_LEFT = Scale("s", ((7 * 86400, YELLOW), (21 * 86400, GREEN)), base=RED)


def collector() -> Dashboard:
    """Return the dashboard."""
    return _FRAME.around(
        Section("At a glance", _at_a_glance()),
        Section("Let in", (*data_path.let_in(), *data_path.refused())),
        Section("Journal", (*data_path.journal(), *data_path.written())),
        Section("Decoded", data_path.decoded()),
        Section("Delivered", data_path.delivered()),
        Section("Metrics for Prometheus", data_path.series()),
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
    full = f"max(glasshouse_journal_bytes{{{OF}}} / glasshouse_journal_max_bytes{{{OF}}})"
    dead = f"sum(increase(glasshouse_dead_letters_total{{{OF}}}[$__range])) or vector(0)"
    return (
        number(
            "Collectors",
            "How many Prometheus reaches.",
            Scale("short", ((1, GREEN),), base=RED, least=0),
            now(f'sum(up{{job="glasshouse",{OF}}})'),
            wide=4,
        ),
        number(
            "Store", "1 while the store is connected.", _UP, now(f"min(glasshouse_store_up{{{OF}}})"), wide=4
        ),
        number(
            "Exporters",
            "1 while the last delivery of each exporter succeeded.",
            _UP,
            now(f"min by (exporter) (glasshouse_exporter_up{{{OF}}})", "{{exporter}}"),
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
            BEHIND,
            now(f"max(glasshouse_journal_oldest_seconds{{{OF}}})"),
            wide=4,
        ),
        number(
            "Dead letters", "Batches refused for good, in the time shown.", NONE_IS_RIGHT, now(dead), wide=4
        ),
    )


def _beside() -> tuple[AnyPanel, ...]:
    left = f"min by (file) (glasshouse_certificate_expiry_timestamp_seconds{{{OF}}}) - time()"
    return (
        graph(
            "API requests",
            "Requests a second, by route and status.",
            RATE,
            over_time(rate_of("glasshouse_api_requests_total", "route, status"), "{{route}} {{status}}"),
            wide=6,
        ),
        graph(
            "API durations",
            "p95 by route.",
            SECONDS,
            over_time(p95_of("glasshouse_api_seconds", "route"), "{{route}}"),
            wide=6,
        ),
        graph(
            "Alerts received",
            "Alerts a second that the webhook has kept.",
            RATE,
            over_time(rate_of("glasshouse_alerts_received_total", "status"), "{{status}}"),
            wide=6,
        ),
        number(
            "Certificates", "Time until the first of each file ends.", _LEFT, now(left, "{{file}}"), wide=6
        ),
        graph(
            "Own telemetry left out",
            "Batches a second of the collector's own telemetry that found no room.",
            WRONG,
            over_time(rate_of("glasshouse_self_dropped_total", "kind, reason"), "{{kind}} {{reason}}"),
            wide=24,
        ),
    )


def _process() -> tuple[AnyPanel, ...]:
    own = f'job="glasshouse",{OF}'
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
                "Decoder": f"max by (instance, codec) (glasshouse_codec_info{{{OF}}})",
                "gRPC server": f"max by (instance, server) (glasshouse_grpc_server_info{{{OF}}})",
                "Up for": f"time() - max by (instance) (process_start_time_seconds{{{own}}})",
            },
            {"Up for": Column(SECONDS)},
        ),
    )
