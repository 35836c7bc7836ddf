"""An embedded store, and rows to put in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest

from glasshouse_collector.store import Store, StoreSettings, migrate
from glasshouse_collector.store.migrate import migration_files
from migrated_store import copy_tables
from rows_of_tables import make_rows

Rows = Callable[..., pa.RecordBatch]


@pytest.fixture
def rows() -> Rows:
    """Return the maker of rows."""
    return make_rows


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    """Return a new embedded store's settings."""
    return StoreSettings(dsn=f"chdb://{tmp_path}/store")


@pytest.fixture
def opened() -> Iterator[Callable[[StoreSettings], Store]]:
    """Return what opens stores that are closed after the test, whatever happens in it."""
    with ExitStack() as stores:

        def open_store(settings: StoreSettings) -> Store:
            store = Store.open(settings)
            stores.callback(store.close)
            return store

        yield open_store


@pytest.fixture
def store(
    settings: StoreSettings,
    opened: Callable[[StoreSettings], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """Lend an embedded store with its tables made."""
    copy_tables(tmp_path_factory, Path(settings.dsn.removeprefix("chdb://")))
    store = opened(settings)
    store.migrate()
    return store


@pytest.fixture
def store_before(
    settings: StoreSettings, opened: Callable[[StoreSettings], Store], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Store]:
    """Return what lends a store whose tables are as they were before a migration."""

    def made_before(migration: str) -> Store:
        store = opened(settings)
        earlier = [(name, text) for name, text in migration_files() if name < migration]
        with monkeypatch.context() as older:
            older.setattr(migrate, "migration_files", lambda: iter(earlier))
            store.migrate()
        return store

    return made_before
