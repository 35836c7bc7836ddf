"""A store for traffic, a project for each test."""

from collections.abc import Iterator

import pytest

from glasshouse_collector.store import Store, StoreSettings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend an embedded store with its tables made."""
    opened = Store.open(StoreSettings(dsn=f"chdb://{tmp_path_factory.mktemp('detection')}/store"))
    opened.migrate()
    yield opened
    opened.close()
