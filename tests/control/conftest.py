"""The database of small state, as SQLite and as PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from control_time import Time
from database_servers import postgresql
from glasshouse_collector.control import Database, Keys, Projects


@pytest.fixture(scope="session")
def postgresql_address() -> Iterator[str]:
    """Run one PostgreSQL for all tests."""
    with postgresql() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'control.db'}"
    address: str = request.getfixturevalue("postgresql_address")
    name = f"test_{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return address.replace("postgresql://", "postgresql+psycopg://").replace("/postgres", f"/{name}")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """Open it."""
    opened = Database.open(url)
    yield opened
    opened.close()


@pytest.fixture
def time() -> Time:
    """Return the time."""
    return Time()


@pytest.fixture
def projects(database: Database, time: Time) -> Projects:
    """Return its projects."""
    return Projects(database, time)


@pytest.fixture
def keys(database: Database, time: Time) -> Keys:
    """Return its keys."""
    return Keys(database, time)
