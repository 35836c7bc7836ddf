"""What dashboards and rules ask in vain where nothing is lost, and what they need not ask."""

_NEVER_COUNTED = (
    "a counter with labels has no series before it counts something, and nothing of the kind happens"
)
_OWN_USE = "for an application's own dashboards"
_ALERTS_ONLY = "made for alerts and for questions by hand; dashboards choose environment and range themselves"

EMPTY = {
    "collector: Failed deliveries A": _NEVER_COUNTED,
    "collector: Dead letters over time A": _NEVER_COUNTED,
    "collector: Overflow A": _NEVER_COUNTED,
    "collector: Own telemetry left out A": _NEVER_COUNTED,
    "services: Spans not paired for want of room A": _NEVER_COUNTED,
    "alert StoreRefusing: glasshouse_dead_letters_total": _NEVER_COUNTED,
    "alert CardinalityOverflow: glasshouse_prometheus_overflow_total": _NEVER_COUNTED,
}
"""Questions by pattern, each with the reason."""

NOT_EXPOSED = {
    "glasshouse_dead_letters_total": _NEVER_COUNTED,
    "glasshouse_export_failures_total": _NEVER_COUNTED,
    "glasshouse_prometheus_overflow_total": _NEVER_COUNTED,
    "glasshouse_self_dropped_total": _NEVER_COUNTED,
    "traces_service_graph_dropped_spans_total": _NEVER_COUNTED,
}
"""Names that are read and not exposed, each with the reason."""

UNUSED = {
    "cache_items": _OWN_USE,
    "cache_operation_duration_seconds": _OWN_USE,
    "export_active": _OWN_USE,
    "job_active": _OWN_USE,
    "shop_*": _OWN_USE,
    "edge:*": _ALERTS_ONLY,
    "exporter:*": _ALERTS_ONLY,
    "project:*": _ALERTS_ONLY,
    "service:*": _ALERTS_ONLY,
    "service_operation:*": _ALERTS_ONLY,
    "slo:error_budget:ratio": _ALERTS_ONLY,
    "glasshouse_in[cs]i*": "incidents are alerts themselves; the insights job's page tells of the others",
    "process_virtual_memory_bytes": "the resident memory is what counts",
    "python_info": "the version of Python, not a measurement",
    "scrape_*": "Prometheus's own measure of its scrapes",
}
"""Families that are exposed and read nowhere, by pattern, each with the reason."""
