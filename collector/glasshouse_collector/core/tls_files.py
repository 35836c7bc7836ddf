"""Keeps what TLS is spoken with true to its files, which change while the collector runs.

One watch of the files serves all doors, so that they change together or not at all:

    files change ─▶ read, check ─▶ each door gets ready ─▶ each door takes it for new connections
                       └─ not whole, not fitting, ended: all go on as they are, and it is looked at again
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TypeAlias

from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.pem import looks
from glasshouse_collector.core.tls import Credentials, TlsConfig

log = logging.getLogger(__name__)

GetReady: TypeAlias = Callable[[Credentials], Callable[[], None]]
"""Makes of credentials what a door needs (or raises `ConfigurationError`); what it returns takes that."""

_LOOK_SECONDS = 1.0
_PATIENCE = 5
"""Looks until a change that cannot be used is complained of: certificate and key are two files."""
_AGAIN = 3600
"""Looks until the files are read though they look unchanged: some file systems do not tell."""


class TlsFiles:
    """The files of one configuration, watched as long as a door uses them."""

    def __init__(self, config: TlsConfig, metrics: Metrics) -> None:
        self._config = config
        self._reloads = metrics.certificate_reloads
        self._doors: list[GetReady] = []
        self._used: Credentials | None = None
        self._looks: tuple[object, ...] | None = None
        self._failed = 0
        self._watching: asyncio.Task[None] | None = None

    async def use(self, door: GetReady) -> None:
        """Have a door take the credentials now, and again when they change. Raises `ConfigurationError`."""
        looked = self._look()
        credentials = await asyncio.to_thread(Credentials.read, self._config)
        door(credentials)()
        self._doors.append(door)
        if self._watching is None:
            self._used, self._looks = credentials, looked
            self._watching = asyncio.create_task(self._watch(), name="tls files")

    async def leave(self, door: GetReady) -> None:
        """Use them no more; after the last door they are not watched. Safe without `use`, and repeatedly."""
        if door in self._doors:
            self._doors.remove(door)
        watching = self._watching
        if not self._doors and watching is not None:
            self._watching = None
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        looked_before = 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            looked = await asyncio.to_thread(self._look)
            looked_before += 1
            if looked != self._looks or self._failed or looked_before >= _AGAIN:
                looked_before = 0
                await self._reload(looked)

    def _look(self) -> tuple[object, ...]:
        return tuple(looks(path) for path in self._config.files)

    async def _reload(self, looked: tuple[object, ...]) -> None:
        try:
            credentials = await asyncio.to_thread(Credentials.read, self._config)
            if await asyncio.to_thread(self._look) != looked:
                return  # being written: the next look finds them changed too
            if credentials != self._used:
                for take in [door(credentials) for door in self._doors]:
                    take()
                self._reloads.labels("reloaded").inc()
                log.info(
                    "tls: the files have changed; new connections get the new ones (%s)", _told(credentials)
                )
        except ConfigurationError as wrong:
            self._complain(str(wrong))
        else:
            self._used, self._looks, self._failed = credentials, looked, 0

    def _complain(self, wrong: str) -> None:
        self._failed += 1
        if self._failed == _PATIENCE:
            self._reloads.labels("kept").inc()
            log.error("%s; connections get the certificate from before until that is put right", wrong)


class _Watched(dict[TlsConfig, TlsFiles]):
    """What is watched in one collector."""


def tls_files(config: TlsConfig, services: Services) -> TlsFiles:
    """Return the collector's one watch of these files."""
    try:
        watched = services.get(_Watched)
    except LookupError:
        watched = _Watched()
        services.provide(_Watched, watched)
    if config not in watched:
        watched[config] = TlsFiles(config, services.get(Metrics))
    return watched[config]


def _told(credentials: Credentials) -> str:
    return f"in force until {credentials.expires:%Y-%m-%d %H:%M} UTC"
