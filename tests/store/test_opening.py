"""A store opens, or says in one line why not and what to do."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from glasshouse_collector.core.errors import StoreError
from glasshouse_collector.store import Store, StoreSettings
from glasshouse_collector.store.folder import LOCK_FILE, VERSION_FILE
from glasshouse_collector.store.settings import Folder, Server, locate

OPEN = (
    "import sys; from glasshouse_collector.store import Store, StoreSettings\n"
    "from glasshouse_collector.core.errors import StoreError\n"
    "try: Store.open(StoreSettings(sys.argv[1]))\n"
    "except StoreError as refused: print(refused)\n"
    "else: print('opened')"
)


def opened_elsewhere(dsn: str) -> str:
    """Return what another process gets when it opens the store."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, dsn], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_a_folder_in_use_names_its_holder(store: Store, settings: StoreSettings) -> None:
    """Another process is told whose folder it is, before the engine sees it; so is this one."""
    told = opened_elsewhere(settings.dsn)
    assert "\n" not in told
    assert f"in use by process {os.getpid()}" in told
    with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
        Store.open(settings)
    assert store.query_arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_closed_folder_is_free(settings: StoreSettings) -> None:
    """After close, which may be repeated, another process can have the folder."""
    store = Store.open(settings)
    store.close()
    store.close()
    assert opened_elsewhere(settings.dsn) == "opened"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("99.1.2.3", "written by engine 99.1.2.3, newer than the installed"),
        ("nonsense", "is no engine version"),
    ],
)
def test_another_engines_folder_is_refused(tmp_path: Path, written: str, told: str) -> None:
    """Data of a newer engine, or of none, are left alone, and the folder free."""
    (tmp_path / VERSION_FILE).write_text(written)
    for _ in range(2):
        with pytest.raises(StoreError, match=told):
            Store.open(StoreSettings(dsn=f"chdb://{tmp_path}"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [VERSION_FILE, LOCK_FILE]


def test_an_older_engines_folder_is_upgraded(tmp_path: Path) -> None:
    """Data of an older engine are opened, and the engine noted."""
    (tmp_path / VERSION_FILE).write_text("25.1.1.1\n")
    store = Store.open(StoreSettings(dsn=f"chdb://{tmp_path}"))
    store.close()
    assert (tmp_path / VERSION_FILE).read_text().strip() == store.engine.version


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    """A path through a file is refused in words."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be used: Not a directory"):
        Store.open(StoreSettings(dsn=f"chdb://{tmp_path}/file/store"))


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "otel.db",
        "chdb://",
        "chdb://relative/path",
        "chdb:///a?readonly=1",
        "postgres://host/db",
        "clickhouse://",
        "clickhouse://user:hunter2@host:port/db",
        "http://user:hunter2@host/db?x=1",
    ],
)
def test_a_wrong_dsn_is_refused_without_its_password(dsn: str) -> None:
    """A DSN that cannot be read is answered with how to write one."""
    with pytest.raises(StoreError, match=r"storage\.dsn") as refused:
        locate(dsn)
    assert "hunter2" not in str(refused.value)


def test_dsns_are_read() -> None:
    """Folder, server, TLS, defaults and quoted characters."""
    assert locate("chdb:///var/lib/my%20data") == Folder(Path("/var/lib/my data"))
    assert locate("clickhouse://u%40x:p%2Fw@h:9/db") == Server("h", 9, False, "u@x", "p/w", "db")
    assert locate("https://h") == Server("h", 8443, True, "default", "", "default")
    assert "p/w" not in repr(locate("clickhouse://u:p%2Fw@h/db"))
    assert "secret" not in repr(StoreSettings(dsn="http://u:secret@h"))


@pytest.mark.parametrize("retention", [{"spans": timedelta(days=1)}, {"logs": timedelta(minutes=1)}])
def test_a_wrong_retention_names_the_setting(retention: dict[str, timedelta]) -> None:
    """An unknown signal, or a time too short to be meant, is refused."""
    with pytest.raises(StoreError, match=f"storage.retention.{next(iter(retention))}"):
        StoreSettings(dsn="chdb:///x", retention=retention)
