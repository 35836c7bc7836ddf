"""New embedded stores, whose tables are not made anew for each."""

import functools
import shutil
from pathlib import Path

import pytest

from glasshouse_collector.store import Store, StoreSettings


def migrated_store(folders: pytest.TempPathFactory, name: str) -> Store:
    """Open a store of its own, with its tables and nothing in them.

    It is a copy of one that was made by this process before: 0.3 instead of 0.8 s of CPU.
    """
    folder = folders.mktemp(name) / "store"
    copy_tables(folders, folder)
    store = Store.open(StoreSettings(dsn=f"chdb://{folder}"))
    store.migrate()
    return store


def copy_tables(folders: pytest.TempPathFactory, folder: Path) -> None:
    """Make the folder of a store that is not open, with its tables and nothing in them."""
    shutil.copytree(_made(folders.getbasetemp()), folder, symlinks=True)


@functools.cache
def _made(base: Path) -> Path:
    """Return the folder of a store that was closed after its tables were made."""
    folder = base / "migrated"
    store = Store.open(StoreSettings(dsn=f"chdb://{folder}"))
    try:
        store.migrate()
    finally:
        store.close()
    return folder
