"""A served API on a port of its own, with or without an embedded store."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from fastapi import FastAPI

from glasshouse_collector.api import create_app
from glasshouse_collector.core.access import Authenticator, OpenAccess
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status
from glasshouse_collector.store import Store
from migrated_store import migrated_store
from served_api import serving


@pytest.fixture
def services() -> Services:
    """Services of a collector without a store."""
    return _without_store()


@pytest.fixture(scope="module")
def shared_services() -> Services:
    """Services of a collector without a store, for all tests of a module: making an app takes long."""
    return _without_store()


@pytest.fixture(scope="module")
def shared_app(shared_services: Services) -> FastAPI:
    """Return an application of the shared services; it asks at each request what they offer then."""
    return create_app(shared_services)


def _without_store() -> Services:
    offered = Services()
    offered.provide(Status, Status())
    offered.provide(Metrics, Metrics())
    offered.provide(MetricsPage, MetricsPage())
    offered.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    return offered


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend an embedded store with its tables made."""
    opened = migrated_store(tmp_path_factory, "api")
    yield opened
    opened.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., httpx.Client]]:
    """Serve an app on a free port for the test's time; returns a client bound to it."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(_serving(app))


@pytest.fixture(scope="module")
def shared_serve() -> Iterator[Callable[..., httpx.Client]]:
    """Serve an app on a free port for a module's time; returns a client bound to it."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(_serving(app))


@contextmanager
def _serving(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client
