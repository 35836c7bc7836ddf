"""A store for incidents of the made-up shop, each in a project of its own."""

from collections.abc import Iterator

import pytest

from glasshouse_collector.store import Store
from migrated_store import migrated_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend an embedded store with its tables made."""
    opened = migrated_store(tmp_path_factory, "analysis")
    yield opened
    opened.close()
