"""The database of small state, brought to this version's tables when it is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session, sessionmaker

from glasshouse_collector.core.errors import ConfigurationError, Retryable

_MIGRATIONS = Path(__file__).parent / "migrations"
_CONNECT_SECONDS = 5
_LOCK = 0x676C617373686F75
"""PostgreSQL's advisory lock that lets one of many collectors migrate."""


class Database:
    """Opened once a process; its methods may be called from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect and migrate.

        `url` is SQLAlchemy's: `sqlite:////path/control.db`, `postgresql+psycopg://user:password@host/name`.
        Raises `ConfigurationError` for an address that cannot be one, or a database that a newer version
        wrote, and `Retryable` where it cannot be reached.
        """
        database = cls(_engine(url))
        try:
            database._migrate()
        except DBAPIError as failed:
            database.close()
            raise Retryable(f"control.url: the database does not answer: {_first_line(failed)}") from None
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Lend a session whose changes are kept on leaving, all or none. Raises `Retryable`."""
        try:
            with self._sessions.begin() as session:
                yield session
        except DBAPIError as failed:
            if failed.connection_invalidated or not _is_refusal(failed):
                raise Retryable(f"the database of projects and keys: {_first_line(failed)}") from None
            raise

    def close(self) -> None:
        """Let go of it. Safe repeatedly."""
        self._engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        scripts = ScriptDirectory.from_config(config)
        with self._engine.begin() as connection:
            _wait_for_others(connection)
            found = MigrationContext.configure(connection).get_current_heads()
            known = {script.revision for script in scripts.walk_revisions()}
            if not set(found) <= known:
                raise ConfigurationError(
                    f"control.url: the database was written by a newer version of Glasshouse ({found[0]}); "
                    "run that version, or use another database"
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=True, connect_args=_patience(url))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise _unknown_address() from None
    if engine.dialect.name not in {"sqlite", "postgresql"}:
        raise _unknown_address()
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _patience(url: str) -> dict[str, int]:
    """Return how long an answer is waited for, where the address does not say it: else it is for minutes."""
    address = make_url(url)
    if address.get_backend_name() != "postgresql":
        return {}
    wanted = {"connect_timeout": _CONNECT_SECONDS, "tcp_user_timeout": 2000 * _CONNECT_SECONDS}
    return {name: value for name, value in wanted.items() if name not in address.query}


def _unknown_address() -> ConfigurationError:
    return ConfigurationError(
        "control.url: sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME is expected"
    )


def _prepare_sqlite(connection: Any, record: object) -> None:
    """Let readers go on beside a writer, and leave it to `_begin_sqlite` to begin."""
    del record
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock first: who reads and then writes would be refused where another wrote meanwhile."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _wait_for_others(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _is_refusal(failed: DBAPIError) -> bool:
    """Tell what the statement itself is to blame for."""
    return type(failed).__name__ in {"IntegrityError", "DataError", "ProgrammingError"}


def _first_line(failed: DBAPIError) -> str:
    return str(failed.orig).strip().split("\n", 1)[0]
