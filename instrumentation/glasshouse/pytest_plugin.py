"""For pytest: the fixture `captured_telemetry`. Nothing of OpenTelemetry is loaded before it is used."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glasshouse.testing import Telemetry

_MARKER = "captured_telemetry(**settings): settings of glasshouse.configure for the fixture of that name"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def captured_telemetry(request: pytest.FixtureRequest) -> "Iterator[Telemetry]":
    """Capture the spans, log records and metrics of a test; see `glasshouse.testing.capture`.

    `@pytest.mark.captured_telemetry(log_level="DEBUG")` gives it settings.
    """
    from glasshouse.testing import capture  # noqa: PLC0415 - runs that do not use it should not wait for it

    marker = request.node.get_closest_marker("captured_telemetry")
    with capture(**(marker.kwargs if marker else {})) as telemetry:
        yield telemetry
