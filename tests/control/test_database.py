"""The database is made, brought up to date, and refused where it cannot be used."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from glasshouse_collector.control import Database, Projects
from glasshouse_collector.control.models import Base
from glasshouse_collector.core.errors import ConfigurationError, Retryable


def test_migrations_make_the_tables_of_the_models(database: Database) -> None:
    """Alembic finds nothing that the migrations left out."""
    with database._engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_a_second_opening_keeps_what_is_there(url: str) -> None:
    """Nothing is made twice."""
    first = Database.open(url)
    Projects(first).create("Shop")
    first.close()
    second = Database.open(url)
    assert {project.id for project in Projects(second).list()} == {"default", "_self", "shop"}
    second.close()


def test_many_may_open_an_empty_database_at_once(url: str) -> None:
    """Collectors that start together do not disturb each other."""
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(Database.open, [url] * 4))
    for database in opened:
        assert {project.id for project in Projects(database).list()} == {"default", "_self"}
        database.close()


def test_a_newer_versions_database_is_refused(tmp_path: Path) -> None:
    """It is left as it is."""
    path = tmp_path / "control.db"
    Database.open(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigurationError, match=r"newer version of Glasshouse \(9999\)"):
        Database.open(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["", "here", "mysql://host/name", "sqlite", "postgresql+none://host/name"])
def test_an_impossible_address_is_refused(url: str) -> None:
    """The message says what is expected, and does not repeat what was given."""
    with pytest.raises(ConfigurationError, match=re.escape("sqlite:///FILE or postgresql+psycopg://")):
        Database.open(url)


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://user:hidden@127.0.0.1:1/name"]
)
def test_a_database_out_of_reach_may_come_back(url: str) -> None:
    """It says so in one line, without the password."""
    with pytest.raises(Retryable) as told:
        Database.open(url)
    assert "hidden" not in str(told.value)
    assert "\n" not in str(told.value)
