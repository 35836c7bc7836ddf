"""Pushes what the page shows to a server that takes Prometheus' remote write.

A push has one sample of each series as it is at that moment, so one that fails loses points in time, and no
count: the next has all of them. It runs in a thread of its own and holds up neither deliveries nor scrapes.
Source: Prometheus, remote write 1.0.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry

from glasshouse_exporters.prometheus.remote_write.config import RemoteWriteConfig
from glasshouse_exporters.prometheus.remote_write.endpoint import Endpoint, Refused, Unreachable
from glasshouse_exporters.prometheus.remote_write.messages import Series, write_request
from glasshouse_exporters.prometheus.remote_write.series import EncodedSeries
from glasshouse_exporters.prometheus.series import FamilySnapshot

log = logging.getLogger(__name__)

REFUSED = "remote_write_refused"
UNREACHABLE = "remote_write_unreachable"

_SAMPLES_A_REQUEST = 2000
"""As many as Prometheus itself sends at once."""
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 30.0
_LOG_EVERY_SECONDS = 60.0


_Pushed = tuple[Series, float | None]


class RemoteWrite:
    """Pushes every `interval_seconds`, until it is stopped.

    `families` gives the series at a moment, `drop(reason, count)` hears of samples that were not delivered:
    refused by the server for good, or not taken before the next push was due. A series that is gone is marked
    as ended in the next push, all of them at the stop.
    """

    def __init__(
        self,
        config: RemoteWriteConfig,
        families: Callable[[], Sequence[FamilySnapshot]],
        registry: CollectorRegistry,
        drop: Callable[[str, int], None],
    ) -> None:
        self._config, self._families, self._registry, self._drop = config, families, registry, drop
        self._endpoint = Endpoint(config)
        self._encoded = EncodedSeries(config.labels)
        self._shown: set[Series] = set()
        self._milliseconds = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._logged_at = -_LOG_EVERY_SECONDS

    def start(self) -> None:
        """Begin to push. Raises `ConfigurationError` for a file that cannot be read."""
        self._endpoint.check()
        self._thread = threading.Thread(target=self._run, name="remote-write", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Mark all series as ended, and finish within about `timeout_seconds` twice. Safe without `start`."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2 * self._config.timeout_seconds + 1)
            self._thread = None

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            # From push to push; after one that took longer, from now on.
            now = time.monotonic()
            due = (due if now < due + self._config.interval_seconds else now) + self._config.interval_seconds
            try:
                self._push(due)
            except Exception:
                log.exception("a push of series failed: a defect")
        self._end()

    def _push(self, due: float) -> None:
        """Push all series, and mark those as ended that are gone; give up when the next push is due."""
        samples = self._encoded.samples(self._families()) + self._encoded.own(self._registry)
        ended = self._shown - {labels for labels, _ in samples}
        self._deliver([*((labels, None) for labels in ended), *samples], due)

    def _end(self) -> None:
        """Mark all series as ended, in what is left of the time to stop."""
        try:
            ended: list[_Pushed] = [(labels, None) for labels in self._shown]
            self._deliver(ended, time.monotonic() + self._config.timeout_seconds)
        except Exception:
            log.exception("the series could not be marked as ended: a defect")

    def _deliver(self, samples: Sequence[_Pushed], due: float) -> None:
        """Send all samples in parts; what is refused or not taken in time is counted as lost."""
        # Never twice the same time, nor an earlier one where the clock is set back: both would be refused.
        self._milliseconds = max(time.time_ns() // 1_000_000, self._milliseconds + 1)
        for start in range(0, len(samples), _SAMPLES_A_REQUEST):
            part = samples[start : start + _SAMPLES_A_REQUEST]
            self._shown.difference_update(labels for labels, value in part if value is None)
            try:
                if start:
                    _check_time(due)
                self._send(write_request(part, self._milliseconds), due)
            except Refused as refused:
                self._lose(REFUSED, len(part), refused)
            except Unreachable as unreachable:
                # Asked again in the next push.
                self._shown.update(labels for labels, value in samples[start:] if value is None)
                self._lose(UNREACHABLE, len(samples) - start, unreachable)
                return
            else:
                self._shown.update(labels for labels, value in part if value is not None)

    def _send(self, request: bytes, due: float) -> None:
        """Send until it is taken or refused, or the time is up; waits grow from try to try."""
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                self._endpoint.send(request)
            except Unreachable as unreachable:
                asked = max(wait, unreachable.retry_after)
                if time.monotonic() + asked >= due or self._stopping.wait(asked):
                    raise
                wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
            else:
                return

    def _lose(self, reason: str, count: int, why: Exception) -> None:
        self._drop(reason, count)
        if time.monotonic() - self._logged_at >= _LOG_EVERY_SECONDS:
            self._logged_at = time.monotonic()
            log.warning("remote write did not deliver %d samples: %s", count, why)


def _check_time(due: float) -> None:
    if time.monotonic() >= due:
        raise Unreachable("the server takes longer than there is from push to push")
