"""A store for incidents of the made-up shop, each in a project of its own."""

from collections.abc import Iterator

import pytest

from glasshouse_collector.store import Store, StoreSettings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend an embedded store with its tables made."""
    opened = Store.open(StoreSettings(dsn=f"chdb://{tmp_path_factory.mktemp('analysis')}/store"))
    opened.migrate()
    yield opened
    opened.close()
