"""A store with two hours of a shop's traffic, and collectors' jobs that share a database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from glasshouse_collector.codec import best_codec
from glasshouse_collector.control.database import Database
from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.control.leases import Leases
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Door, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.insights.job import InsightsJob
from glasshouse_collector.insights.settings import InsightsConfig
from glasshouse_collector.journal import Journal
from glasshouse_collector.receivers.door import JournalDoor
from glasshouse_collector.store import Store
from migrated_store import migrated_store
from told_traffic import Shop, between
from watched_shop import BEGINS, ENDS, MINUTES, START, Collector, Frames

Start = Callable[..., Collector]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend a store in which the payment of the project shop fails for some minutes."""
    opened = migrated_store(tmp_path_factory, "job")
    shop = Shop()
    shop.payment.failing = shop.checkout.failing = shop.gateway.failing = between(BEGINS, ENDS, 0.6)
    shop.keep(opened, START, MINUTES, project="shop")
    Shop().keep(opened, START, MINUTES, project="well")
    yield opened
    opened.close()


@pytest.fixture
def frames() -> Frames:
    """Return what the door lets in."""
    return Frames()


@pytest.fixture
def start(store: Store, tmp_path: Path, frames: Frames) -> Iterator[Start]:
    """Return what starts a collector's job on the shared database."""
    with ExitStack() as opened:

        def started(journal: Journal | None = None, **config: Any) -> Collector:
            database = Database.open(f"sqlite:///{tmp_path / 'control.db'}")
            opened.callback(database.close)
            services, metrics = Services(), Metrics()
            services.provide(Metrics, metrics)
            services.provide(Store, store)
            if journal is not None:
                services.provide(Journal, journal)
            for kind in (Incidents, Feedback, Leases):
                services.provide(kind, kind(database))
            door = JournalDoor(best_codec(), frames, metrics, SystemClock())
            services.provide(Door, door)  # type: ignore[type-abstract]
            clock = [datetime.now(UTC)]
            job = InsightsJob(InsightsConfig(**config), services, lambda: clock[0])
            return Collector(job, services, metrics, clock)

        yield started
