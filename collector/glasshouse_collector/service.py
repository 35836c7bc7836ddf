"""Wires the collector together, starts it in the order of its arrows, and stops it in reverse."""

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace

from glasshouse_collector.api import ApiConfig, ApiServer, IngestOnce, create_app
from glasshouse_collector.codec import Codec, best_codec
from glasshouse_collector.config import Settings
from glasshouse_collector.control import KeyQuotas, Keyring
from glasshouse_collector.control.access import KeyAccess
from glasshouse_collector.control.connection import ControlConnection, ControlSettings
from glasshouse_collector.core.access import Authenticator
from glasshouse_collector.core.clock import SystemClock
from glasshouse_collector.core.components import Door, Services
from glasshouse_collector.core.errors import ConfigurationError, Retryable
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.registry import build
from glasshouse_collector.core.status import Status
from glasshouse_collector.core.tls import TlsConfig
from glasshouse_collector.journal import Consumer, DeadLetters, Journal, JournalSettings
from glasshouse_collector.pipeline.formed import FormedRuns
from glasshouse_collector.pipeline.pipeline import Pipeline
from glasshouse_collector.pipeline.settings import Batching, PipelineSettings
from glasshouse_collector.receivers.door import JournalDoor
from glasshouse_collector.selfwatch import SelfWatch
from glasshouse_collector.store import Store, StoreSettings

log = logging.getLogger(__name__)

ENDPOINTS_FILE = "endpoints.json"
_STORE_AGAIN_SECONDS = 2.0


class Collector:
    """One collector: doors, journal, pipelines, store and API in one process.

    `start` returns when everything listens and, where the store can be reached, is ready. A store
    that cannot be reached holds up only what needs it: requests are accepted meanwhile. `stop`
    takes no more in, keeps what was accepted, and is safe to call at any point after construction.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self.metrics = Metrics()
        self.status = Status()
        self.services = Services()
        self.endpoints: dict[str, str] = {}
        self.codec: Codec = best_codec()
        self._stopping = asyncio.Event()
        self._failure: ConfigurationError | None = None
        self._undo = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Start everything; `ConfigurationError` says what the user has to change.

        From here on SIGTERM and SIGINT end `run`, in order, also where they come before it.
        """
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stopping.set)
        self._provide()
        try:
            journal = await asyncio.to_thread(self._open_journal)
            self._undo.push_async_callback(journal.close)
            self.services.provide(Journal, journal)
            quotas = KeyQuotas()
            door = JournalDoor(self.codec, journal, self.metrics, self._clock, quotas)
            self.services.provide(Door, door)  # type: ignore[type-abstract]
            await self._start_control(quotas)
            await self._settle_requests(journal)
            await self._start_store()
            watch = await self._start_selfwatch(door)
            self._start_pipelines(journal)
            await self._start_api(watch)
            await self._start_receivers(door)
        except BaseException:
            await self.stop()
            raise
        self._write_endpoints()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises what the configuration turns out to lack on the way."""
        await self._stopping.wait()
        await self.stop()
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Accept no more, finish what was accepted, close."""
        await self._undo.aclose()

    def _provide(self) -> None:
        token = self._settings.auth_token
        self.access = KeyAccess(
            self.metrics,
            self._clock,
            token=token.get_secret_value() if token else None,
            local=not self._settings.reachable_hosts,
        )
        self.services.provide(Metrics, self.metrics)
        self.services.provide(MetricsPage, MetricsPage())
        self.services.provide(Status, self.status)
        self.services.provide(Authenticator, self.access)  # type: ignore[type-abstract]
        self.services.provide(Codec, self.codec)  # type: ignore[type-abstract]
        if self._settings.tls is not None:
            self.services.provide(TlsConfig, self._settings.tls)
        self.metrics.codec_info.labels(self.codec.name).set(1)

    def _open_journal(self) -> Journal:
        folder = self._settings.data_dir
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"data_dir: {folder} cannot be made: {error.strerror}") from None
        written = self._settings.journal
        settings = JournalSettings(
            directory=folder / "journal",
            durability=written.durability,
            max_bytes=int(written.max_bytes),
            segment_bytes=int(written.segment_bytes),
        )
        return Journal.open(settings, self.metrics, self._clock)

    async def _start_control(self, quotas: KeyQuotas) -> None:
        written = self._settings.control
        settings = ControlSettings(
            self._settings.control_url, written.refresh_seconds, self._check_whom_it_serves
        )
        control = ControlConnection(settings, self.access, quotas, self.services)
        self._undo.push_async_callback(control.stop)
        await control.start(self._fail)
        if self.access.open:
            log.warning("open to everyone on this machine: there is no key, and auth_token is not set")
        plain = dict.fromkeys(host for host, by_tls in self._settings.reachable_hosts if not by_tls)
        if plain:
            log.warning(
                "%s is served without TLS (insecure): keys and records can be read on the way",
                ", ".join(plain),
            )

    async def _settle_requests(self, journal: Journal) -> None:
        """Find out which requests that a crash cut off are in the journal, before pipelines empty it."""
        once = IngestOnce(self.services, journal)
        self.services.provide(IngestOnce, once)
        await once.settle()

    def _check_whom_it_serves(self, keyring: Keyring) -> None:
        """Raise `ConfigurationError` where other machines would be served without keys, or without TLS."""
        missing = missing_protection(self._settings, keys=bool(keyring.usable))
        if missing:
            raise ConfigurationError("\n".join(missing))

    def _fail(self, failure: ConfigurationError) -> None:
        """Stop for what the user has to change."""
        self._failure = failure
        self._stopping.set()

    async def _start_store(self) -> None:
        self.status.set("store", ready=False, detail="not connected yet")
        self.metrics.store_up.set(0)
        try:
            await asyncio.to_thread(self._connect_store)
        except Retryable as reason:
            log.warning("%s; requests are accepted meanwhile", reason)
            self.status.set("store", ready=False, detail=str(reason))
            waiting = asyncio.create_task(self._store_later(), name="store")
            self._undo.push_async_callback(_cancelled, waiting)
        self._undo.push_async_callback(self._close_store)

    def _connect_store(self) -> None:
        storage = self._settings.storage
        retention = {name: span for name, span in storage.retention if span is not None}
        store = Store.open(
            StoreSettings(dsn=self._settings.dsn, cluster=storage.cluster, retention=retention)
        )
        try:
            store.migrate()
        except BaseException:
            store.close()
            raise
        self.services.provide(Store, store)
        self.status.set("store", ready=True)
        self.metrics.store_up.set(1)

    async def _store_later(self) -> None:
        while True:
            await asyncio.sleep(_STORE_AGAIN_SECONDS)
            try:
                return await asyncio.to_thread(self._connect_store)
            except Retryable as reason:
                self.status.set("store", ready=False, detail=str(reason))
            except ConfigurationError as failure:
                return self._fail(failure)

    async def _close_store(self) -> None:
        with contextlib.suppress(LookupError):
            await asyncio.to_thread(self.services.get(Store).close)

    async def _start_selfwatch(self, door: Door) -> SelfWatch | None:
        if not self._settings.self_watch:
            return None
        watch = SelfWatch.start(door, asyncio.get_running_loop(), self.metrics)
        self._undo.push_async_callback(asyncio.to_thread, watch.stop)
        self.services.provide(trace.Tracer, watch.tracer)  # type: ignore[type-abstract]
        return watch

    def _start_pipelines(self, journal: Journal) -> None:
        dead_letters = DeadLetters(self._settings.data_dir / "dead-letters")
        processors = [processor for _, processor in self._build("processors")]
        runs = FormedRuns(self.codec, processors, self.metrics)
        leader: Consumer | None = None
        for name, exporter in self._build("exporters"):
            consumer = journal.consumer(name)
            if leader is not None:
                consumer.follow(leader)
            leader = leader or consumer
            pipeline = Pipeline(
                exporter,
                PipelineSettings(
                    name=name,
                    runs=runs,
                    consumer=consumer,
                    dead_letters=dead_letters,
                    batching=self._batching(),
                    metrics=self.metrics,
                    status=self.status,
                    clock=self._clock,
                ),
            )
            pipeline.start()
            self._undo.push_async_callback(pipeline.stop, self._settings.shutdown_seconds)
        self._name_removed(journal)

    def _name_removed(self, journal: Journal) -> None:
        """Say for which exporters, no longer configured, the journal goes on keeping what comes."""
        for name in set(journal.consumers) - set(self._settings.exporters):
            log.warning(
                "the journal keeps everything for the exporter %s, which is not configured any more; "
                "configure it again, or stop the collector and delete %s",
                name,
                journal.cursor_path(name),
            )

    def _batching(self) -> Batching:
        written = self._settings.batching
        return Batching(written.max_records, int(written.max_bytes), written.linger_seconds)

    async def _start_api(self, watch: SelfWatch | None) -> None:
        extensions = self._build("extensions")
        for _, extension in extensions:
            self._undo.push_async_callback(extension.stop)
            await extension.start(self.services)
        limits = self._settings.api
        config = ApiConfig(
            host=self._settings.host,
            port=self._settings.port,
            tls=self._settings.tls,
            query_seconds=limits.query_seconds,
            query_rows=limits.query_rows,
            query_memory=int(limits.query_memory),
            query_concurrency=limits.query_concurrency,
            query_concurrency_per_key=limits.query_concurrency_per_key,
            slow_query_seconds=limits.slow_query_seconds,
        )
        routes = [extension.routes for _, extension in extensions if extension.routes is not None]
        app = create_app(self.services, config, extensions_routes=routes)
        if watch is not None:
            watch.instrument(app)
        server = ApiServer(app, config, self.services)
        self._undo.push_async_callback(server.stop)
        await server.start()
        self.endpoints["api"] = _address(self._settings.host, server.bound_port)

    async def _start_receivers(self, door: Door) -> None:
        for name, receiver in self._build("receivers"):
            self._undo.push_async_callback(receiver.stop)
            await receiver.start(door)
            port = getattr(receiver, "bound_port", None)
            if port is not None:
                self.endpoints[name.removeprefix("otlp_")] = _address(self._settings.host, port)
            self.status.set(name, ready=True, detail=getattr(receiver, "note", ""))

    def _build(self, wanted: str) -> Sequence[tuple[str, Any]]:
        return [
            (name, build(group, name, written, self.services))
            for group, name, written in self._settings.written()
            if group == wanted
        ]

    def _write_endpoints(self) -> None:
        """Leave the addresses where programs find them, for ports that were chosen by the system."""
        path = self._settings.data_dir / ENDPOINTS_FILE
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(json.dumps(self.endpoints) + "\n")
        unfinished.replace(path)
        self._undo.callback(path.unlink, missing_ok=True)


def missing_protection(settings: Settings, *, keys: bool) -> list[str]:
    """Return what keeps a collector from serving other machines, a line each; `keys`: there are some."""
    reachable, missing = settings.reachable_hosts, []
    if reachable and not keys and not settings.auth_token:
        missing.append(
            f"host: other machines reach {reachable[0][0]}, and there is no key: make one (glasshouse "
            f"keys create --data-dir {settings.data_dir} --project default), or set auth_token"
        )
    plain = [host for host, by_tls in reachable if not by_tls]
    if plain and not settings.insecure:
        missing.append(
            f"host: other machines reach {plain[0]}, and there is no TLS: set tls.cert_file and "
            "tls.key_file, or give --insecure where something in front of it encrypts"
        )
    return missing


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
