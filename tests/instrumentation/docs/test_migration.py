"""docs/migrate.md names everything that the older systems have, and nothing that is not here."""

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest

import glasshouse
from glasshouse.settings import table

PAGE = (Path(__file__).parents[3] / "docs" / "migrate.md").read_text()
SECTIONS = dict(re.findall(r"^## From (?:an? )?([\w -]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
OLD = {
    "project-monitor-sdk": """
        api_key base_url service_name source min_level batch_size flush_interval timeout_seconds
        max_retries retry_backoff_seconds start_background heartbeat start_heartbeat_loop debug info
        warn error log operation status error_type metadata correlation_id capture_exception trace
        install_excepthook start flush close dead_letter MonitorASGIMiddleware PROJECT_MONITOR_API_KEY
        PROJECT_MONITOR_BASE_URL PROJECT_MONITOR_SERVICE_NAME PROJECT_MONITOR_MIN_LEVEL""",
    "tracehub": """
        api_key service environment endpoint batch_size flush_interval max_buffer max_retries timeout
        compress dlq_path debug info warn error fatal module extra exc_info exception error_message
        stack_trace set_trace_id get_trace_id clear_trace_id flush close TraceHubMiddleware
        init_tracehub TraceHubConfigError TraceHubTransportError""",
    "set-up by hand": """
        APP_ENV APP_VERSION get_logger OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_INSECURE
        OTEL_CONSOLE_EXPORT trace_operation add_span_attributes capture_exception set_user_context
        SENTRY_DSN SENTRY_TRACES_SAMPLE_RATE SENTRY_PROFILES_SAMPLE_RATE""",
    "sentry-sdk": """
        dsn environment release traces_sample_rate profiles_sample_rate before_send integrations
        capture_exception capture_message add_breadcrumb set_user set_tag set_context set_extra
        new_scope push_scope start_transaction start_span flush""",
}


@pytest.mark.parametrize("system", OLD)
def test_every_old_name_has_a_new_one(system: str) -> None:
    """In the left column of the system's table."""
    names = "\n".join(re.findall(r"^\| (.*?) \|", SECTIONS[system], re.MULTILINE))
    assert [name for name in OLD[system].split() if not re.search(rf"\b{name}\b", names)] == []


def test_every_new_name_exists() -> None:
    """What the page says of `glasshouse` is there: names, settings and their variables."""
    for path in set(re.findall(r"`(?:with |@)?glasshouse\.([a-z_.]+\w)", PAGE)):
        first, *rest = path.split(".")
        found = getattr(glasshouse, first, None) or import_module(f"glasshouse.{first}")
        assert reduce(getattr, rest, found) is not None
    known = {variable for row in table({}, {}) for variable in row.variables}
    assert set(re.findall(r"\bGLASSHOUSE_\w+", PAGE)) <= known
