"""SQLite through SQLAlchemy: a database of its own for each service."""

import fcntl
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event

from glasshouse_shop.faults import POOL_TIMEOUT_SECONDS

POOL_SIZE = 4


def opened(name: str, tables: MetaData) -> Engine:
    """Open a database in the working directory, and create its tables where they are missing."""
    engine = create_engine(
        f"sqlite:///{name}.db",
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        connect_args={"check_same_thread": False, "timeout": 10},
    )
    event.listen(engine, "connect", _tune)
    with Path(f"{name}.lock").open("w") as held:
        # Two services share one: SQLite refuses who comes while another switches to WAL, or makes the tables.
        fcntl.flock(held, fcntl.LOCK_EX)
        tables.create_all(engine)
    return engine


def _tune(connection: Any, _record: object) -> None:
    # Readers beside a writer; a crash of the machine may cost the demo its last orders.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
