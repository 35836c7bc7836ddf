"""Where the store is, and how long it keeps what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import StoreError

ALERTS_RETENTION = "alerts"
_KEPT = (*RequestKind, ALERTS_RETENTION)
_SHORTEST_RETENTION = timedelta(hours=1)
_SCHEMES = {"clickhouse": False, "http": False, "clickhouses": True, "https": True}
_FORMS = "chdb:///absolute/folder, clickhouse://user:password@host:8123/database or https://…"

_HINT = f"write {_FORMS}, with # / ? @ : in a password as %23 %2F %3F %40 %3A"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What the service hands to `Store.open`.

    `dsn` is `chdb:///absolute/folder` (the embedded engine) or `clickhouse://user:password@host:8123/database`,
    `http(s)://…` (a server). `retention` maps traces, logs, metrics and alerts to how long they are kept;
    what it leaves out is kept for ever. With `fsync`, `insert` returns when rows survive a loss of power.
    """

    dsn: str = field(repr=False)  # it may hold a password
    cluster: str | None = None
    retention: Mapping[str, timedelta] = field(default_factory=dict)
    fsync: bool = True

    def __post_init__(self) -> None:
        for name, kept in self.retention.items():
            if name not in _KEPT:
                raise StoreError(
                    f"storage.retention.{name}: no such thing is kept; there are: {', '.join(_KEPT)}"
                )
            if kept < _SHORTEST_RETENTION:
                raise StoreError(f"storage.retention.{name}: {kept} is too short; the least is one hour")

    def kept_seconds(self, kind: str) -> int | None:
        """Return the retention of traces, logs, metrics or alerts in seconds; None means for ever."""
        kept = self.retention.get(kind)
        return None if kept is None else int(kept.total_seconds())


@dataclass(frozen=True, slots=True)
class Folder:
    """The embedded engine's data folder."""

    path: Path


@dataclass(frozen=True, slots=True)
class Server:
    """A ClickHouse server's HTTP interface."""

    host: str
    port: int
    secure: bool
    username: str
    password: str = field(repr=False)
    database: str

    @property
    def name(self) -> str:
        """How messages name it: without the password."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}/{self.database}"


def locate(dsn: str) -> Folder | Server:
    """Read a DSN; `StoreError` says what was wrong with it, never repeating a password."""
    scheme, colon, _ = dsn.partition("://")
    if not colon or scheme not in ("chdb", *_SCHEMES):
        raise StoreError(f"storage.dsn: {scheme if colon else 'this'!r} is no kind of store; write {_FORMS}")
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        raise StoreError(f"storage.dsn: the port is no number; {_HINT}") from None
    if parts.query or parts.fragment or "@" in parts.path:
        raise StoreError(f"storage.dsn: nothing may follow the database; {_HINT}")
    if scheme == "chdb":
        if parts.netloc or not parts.path.strip("/"):
            raise StoreError("storage.dsn: write chdb:///absolute/folder, with three slashes")
        return Folder(Path(unquote(parts.path)))
    if not parts.hostname:
        raise StoreError(f"storage.dsn: the host is missing; write {_FORMS}")
    secure = _SCHEMES[scheme]
    return Server(
        host=parts.hostname,
        port=port or (8443 if secure else 8123),
        secure=secure,
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or "default",
    )
