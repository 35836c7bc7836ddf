"""A store for traffic, a project for each test."""

from collections.abc import Iterator

import pytest

from glasshouse_collector.store import Store
from migrated_store import migrated_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend an embedded store with its tables made."""
    opened = migrated_store(tmp_path_factory, "detection")
    yield opened
    opened.close()
