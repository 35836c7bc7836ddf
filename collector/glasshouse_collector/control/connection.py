"""The collector's connection to its database of projects and keys, kept up for as long as it runs."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from glasshouse_collector.control.access import KeyAccess
from glasshouse_collector.control.database import Database
from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.control.keyring import Keyring
from glasshouse_collector.control.keys import Keys
from glasshouse_collector.control.leases import Leases
from glasshouse_collector.control.projects import Projects
from glasshouse_collector.control.quotas import KeyQuotas
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError, Retryable
from glasshouse_collector.core.status import Status

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 2.0
_NAME = "keys"


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where the database is, and the seconds after which keys are read again.

    `check` is asked once the keys are known, and raises `ConfigurationError` where the collector must
    not serve with them.
    """

    url: str
    refresh_seconds: float
    check: Callable[[Keyring], None]


class ControlConnection:
    """Opens the database, and keeps what is known of the keys fresh.

    A database that cannot be reached at the start is waited for, and every key is told to come back
    meanwhile. One that is lost later holds up nobody: the keys that are known go on.
    """

    def __init__(
        self, settings: ControlSettings, access: KeyAccess, quotas: KeyQuotas, services: Services
    ) -> None:
        self._settings = settings
        self._access = access
        self._quotas = quotas
        self._services = services
        self._status = services.get(Status)
        self._database: Database | None = None
        self._keyring: Keyring | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, failed: Callable[[ConfigurationError], None]) -> None:
        """Connect, or go on trying to; raises `ConfigurationError`, and gives a later one to `failed`."""
        try:
            await asyncio.to_thread(self._connect)
        except Retryable as away:
            log.warning("%s; keys are told to come back meanwhile", away)
            self._status.set(_NAME, ready=False, detail=str(away))
        self._task = asyncio.create_task(self._keep_up(failed), name=_NAME)

    async def stop(self) -> None:
        """Write down what was sent since the last time, and let go. Safe repeatedly."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        database, self._database = self._database, None
        keyring, self._keyring = self._keyring, None
        if database is not None and keyring is not None:
            await self._refreshed(keyring, lost=False)
            await asyncio.to_thread(database.close)

    def _connect(self) -> None:
        database = Database.open(self._settings.url)
        try:
            keyring = Keyring(database, quotas=self._quotas)
            keyring.refresh()
            self._settings.check(keyring)
        except BaseException:
            database.close()
            raise
        self._database, self._keyring = database, keyring
        self._services.provide(Database, database)
        self._services.provide(Projects, Projects(database))
        self._services.provide(Keys, Keys(database))
        self._services.provide(Keyring, keyring)
        self._services.provide(Incidents, Incidents(database))
        self._services.provide(Feedback, Feedback(database))
        self._services.provide(Leases, Leases(database))
        self._access.use(keyring)
        self._status.set(_NAME, ready=True)

    async def _keep_up(self, failed: Callable[[ConfigurationError], None]) -> None:
        while (keyring := self._keyring) is None:
            await asyncio.sleep(_AGAIN_SECONDS)
            try:
                await asyncio.to_thread(self._connect)
            except Retryable as away:
                self._status.set(_NAME, ready=False, detail=str(away))
            except ConfigurationError as wrong:
                return failed(wrong)
        lost = False
        while True:
            await asyncio.sleep(self._settings.refresh_seconds)
            lost = await self._refreshed(keyring, lost)

    async def _refreshed(self, keyring: Keyring, lost: bool) -> bool:
        """Read the keys again; return whether they cannot be read, which is said once."""
        try:
            await asyncio.to_thread(keyring.refresh)
        except Exception as away:  # noqa: BLE001  (whatever it is, the next time may succeed)
            if not lost:
                log.warning("keys cannot be read: %s; those that are known go on, changes wait", away)
            self._status.set(_NAME, ready=True, detail=f"{away}; the keys that are known go on")
            return True
        if lost:
            log.info("keys can be read again")
            self._status.set(_NAME, ready=True)
        return False
