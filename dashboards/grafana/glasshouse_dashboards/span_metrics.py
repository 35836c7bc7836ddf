"""PromQL over what the collector makes of spans: requests, errors, durations."""

from glasshouse_dashboards.expressions import part_of, quantile, rate

CALLS = "traces_span_metrics_calls_total"
DURATIONS = "traces_span_metrics_duration_milliseconds"
EDGES = "traces_service_graph_request"

ENTRIES = 'span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"'
"""What others ask of a service: requests and messages. Calls that it makes itself are its edges."""
FAILED = 'status_code="STATUS_CODE_ERROR"'


def requests(selector: str, by: str = "") -> str:
    """Return the spans a second, by labels."""
    return rate(CALLS, selector, by)


def errors(selector: str, by: str = "") -> str:
    """Return the share of spans whose status is error, by labels."""
    return part_of(requests(f"{selector},{FAILED}", by), requests(selector, by))


def duration(share: float, selector: str, by: str = "") -> str:
    """Return a quantile of the spans' durations in milliseconds, by labels."""
    return quantile(share, DURATIONS, selector, by)
