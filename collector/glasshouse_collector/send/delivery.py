"""Keeps several requests in flight, sends again what may pass later, and counts."""

import queue
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Self

from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.send.mistakes import UserMistake
from glasshouse_collector.send.transports import Refused, Transport, TryAgain

_SHORTEST_WAIT: Final = 0.05
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
_REASONS: Final = 20
"""Distinct reasons that are remembered; an endpoint may word each refusal differently."""


@dataclass
class Tally:
    """What became of the records, by kind; written under `lock`."""

    sent: Counter[RequestKind] = field(default_factory=Counter)
    rejected: Counter[RequestKind] = field(default_factory=Counter)
    failed: Counter[RequestKind] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    unset_times: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, reason: str, records: int) -> None:
        """Remember why records did not arrive."""
        if reason and (reason in self.reasons or len(self.reasons) < _REASONS):
            self.reasons[reason] += records


class Deliveries:
    """Sends from `in_flight` threads; a context manager whose end waits for what was put.

    A request is sent again, after the time that the endpoint named or an exponential backoff with
    jitter, until `retry_seconds` after its first attempt.
    """

    def __init__(self, transport: Transport, *, in_flight: int, retry_seconds: float) -> None:
        self.tally = Tally()
        self._transport = transport
        self._retry_seconds = retry_seconds
        self._queue: queue.Queue[tuple[RequestKind, bytes, int] | None] = queue.Queue(in_flight)
        self._hopeless: str | None = None
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"send-{number}", daemon=True)
            for number in range(in_flight)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, UserMistake):
            self._stopping.set()  # interrupted: what waits is given up
        for _thread in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def put(self, kind: RequestKind, payload: bytes, records: int) -> None:
        """Hand over one request; waits while as many as `in_flight` are waiting.

        Raises `UserMistake` once the endpoint gave an answer that every request would get.
        """
        self.check()
        self._queue.put((kind, payload, records))

    def check(self) -> None:
        """Raise `UserMistake` where sending more is hopeless."""
        if self._hopeless is not None:
            raise UserMistake(f"--endpoint: {self._hopeless}")

    def note_unset_times(self, times: int) -> None:
        """Count times that a recording had wrong."""
        self.tally.unset_times += times

    def wait(self, seconds: float) -> None:
        """Let time pass, unless it is all over."""
        self._stopping.wait(seconds)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            kind, payload, records = job
            if self._stopping.is_set():
                self._count_failed(kind, records, "given up")
                continue
            self._deliver(kind, payload, records)

    def _deliver(self, kind: RequestKind, payload: bytes, records: int) -> None:
        deadline = time.monotonic() + self._retry_seconds
        wait = _FIRST_WAIT
        while True:
            try:
                answer = self._transport.send(kind, payload)
            except TryAgain as later:
                pause = _pause(later.retry_after, wait)
                if time.monotonic() + pause > deadline:
                    return self._count_failed(kind, records, str(later))
                with self.tally.lock:
                    self.tally.retries += 1
                if self._stopping.wait(pause):
                    return self._count_failed(kind, records, "given up")
                wait = min(wait * 2, _LONGEST_WAIT)
            except Refused as refused:
                if refused.hopeless:
                    self._hopeless = str(refused)
                    self._stopping.set()
                return self._count_failed(kind, records, str(refused))
            except Exception as fault:  # noqa: BLE001  (a thread that died would hang the others)
                return self._count_failed(kind, records, f"{type(fault).__name__}: {fault}")
            else:
                return self._count_answered(kind, records, answer.rejected, answer.message)

    def _count_answered(self, kind: RequestKind, records: int, rejected: int, message: str) -> None:
        rejected = min(rejected, records)
        with self.tally.lock:
            self.tally.sent[kind] += records - rejected
            self.tally.rejected[kind] += rejected
            if rejected:
                self.tally.note(f"rejected: {message}", rejected)

    def _count_failed(self, kind: RequestKind, records: int, reason: str) -> None:
        with self.tally.lock:
            self.tally.failed[kind] += records
            self.tally.note(f"failed: {reason}", records)


def _pause(retry_after: float | None, wait: float) -> float:
    """Return the seconds until the next attempt: what the endpoint said, else `wait` with jitter."""
    if retry_after is None:
        return wait * random.uniform(0.5, 1.0)  # noqa: S311  (spreads attempts, keeps no secret)
    return max(retry_after, _SHORTEST_WAIT)
