"""Metrics of a test's own."""

from collections.abc import Callable

import pytest

from glasshouse_collector.core.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    """Return metrics on which nothing is counted yet."""
    return Metrics()


@pytest.fixture
def value(metrics: Metrics) -> Callable[..., float | None]:
    """Return what tells a sample of these metrics."""
    return lambda name, **labels: metrics.registry.get_sample_value(name, labels)
