"""The extension `certificates`: shows when the certificates in files end, before they do."""

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import ClassVar

from prometheus_client import Gauge
from pydantic import Field

from glasshouse_collector.core.components import ComponentConfig, Services
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.pem import Unreadable, certificates_in, content_of, looks
from glasshouse_collector.core.tls import TlsConfig

log = logging.getLogger(__name__)

AGAIN_SECONDS = 3600.0
"""After which a file is read again though it looks unchanged: some file systems do not tell."""
UNREADABLE = 0.0
"""Shown where the end is not known: 1970, so that an alert on what ends soon fires here too."""


class CertificatesConfig(ComponentConfig):
    """Which files to watch."""

    files: tuple[Path, ...] = Field((), max_length=1000)
    """PEM files, each with a certificate or a chain; keys beside them are passed over."""
    interval_seconds: float = Field(60.0, ge=0.1, le=AGAIN_SECONDS)
    """How often to look whether a file has changed."""


class CertificatesExtension:
    """Sets `glasshouse_certificate_expiry_timestamp_seconds` for each file, and again when it changes.

    The files are those of its configuration, and those that TLS is spoken with here.

    The first certificate of a chain to end counts. A file that cannot be read is 0, and is logged
    once a reason; it holds up nothing, and is read as soon as it can be.
    """

    Config: ClassVar[type[ComponentConfig]] = CertificatesConfig
    routes = None

    def __init__(self, config: CertificatesConfig, services: Services) -> None:
        gauge = services.get(Metrics).certificate_expiry
        files = dict.fromkeys([*config.files, *_shown_at_the_doors(services)])
        self._watched = [_Watched(path, gauge) for path in files]
        self._interval = config.interval_seconds
        self._watching: asyncio.Task[None] | None = None

    async def start(self, services: Services) -> None:
        """Begin to watch. The first look happens beside the start: a file may lie on a slow network."""
        del services
        if self._watched:
            self._watching = asyncio.create_task(self._watch(), name="certificates")

    async def stop(self) -> None:
        """Watch no more. Safe without `start`, and repeatedly."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        while True:
            for watched in self._watched:
                await asyncio.to_thread(watched.look, time.monotonic())
            await asyncio.sleep(self._interval)


def _shown_at_the_doors(services: Services) -> tuple[Path, ...]:
    try:
        tls = services.get(TlsConfig)
    except LookupError:  # no TLS is spoken
        return ()
    return (tls.cert_file, *((tls.client_ca_file,) if tls.client_ca_file else ()))


class _Watched:
    """One file, as it was when last read."""

    def __init__(self, path: Path, gauge: Gauge) -> None:
        self._path = path
        self._expiry = gauge.labels(str(path))
        self._looks: tuple[int, ...] | None = None
        self._read_at = 0.0
        self._complaint = ""

    def look(self, now: float) -> None:
        """Read the file where it is new, changed, or was read long ago; `now` is monotonic seconds."""
        looked = looks(self._path)
        if looked is not None and looked == self._looks and now - self._read_at < AGAIN_SECONDS:
            return
        self._looks, self._read_at = looked, now
        try:
            self._expiry.set(earliest_expiry(self._path))
        except Unreadable as reason:
            self._expiry.set(UNREADABLE)
            self._complain(str(reason))
        else:
            if self._complaint:
                log.info("certificates.files: %s can be read again", self._path)
            self._complaint = ""

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:
            log.error("certificates.files: %s: %s", self._path, reason)
        self._complaint = reason


def earliest_expiry(path: Path) -> float:
    """Return when the first certificate of a PEM file ends, in seconds since 1970; raises `Unreadable`."""
    content = content_of(path)
    try:
        return min(each.not_valid_after_utc for each in certificates_in(content)).timestamp()
    except Unreadable:
        raise
    except Exception as broken:
        raise Unreadable("a certificate is damaged") from broken
