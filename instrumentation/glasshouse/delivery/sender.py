"""The thread that talks to the network: one batch at a time, oldest first, with pauses."""

import logging
import time

from opentelemetry.context import (
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY,
    _SUPPRESS_INSTRUMENTATION_KEY,
    attach,
    get_current,
    set_value,
)

from glasshouse.delivery.batch import SIGNALS, Batch, Signal
from glasshouse.delivery.batch_file import DamagedFileError
from glasshouse.delivery.counter import Counter
from glasshouse.delivery.destinations import Destinations
from glasshouse.delivery.exchange import Outcome, exchange
from glasshouse.delivery.pace import Pace
from glasshouse.delivery.spool import Spool
from glasshouse.delivery.waiting import Entry, Waiting
from glasshouse.failures import contained

log = logging.getLogger("glasshouse")

THREAD_NAME = "glasshouse-sender"
# A batch at which the endpoint breaks off so many times lets the others go first.
_PATIENCE = 3


class Sender:
    """Takes batches out of the line when they are delivered or refused, and leaves them there otherwise.

    Delivery is at least once: where an answer is lost, a batch is sent again.
    """

    def __init__(
        self, waiting: Waiting, destinations: Destinations, spool: Spool | None, counts: Counter
    ) -> None:
        self.paces: dict[Signal, Pace] = {signal: Pace() for signal in SIGNALS}
        self._troubles: dict[Signal, str] = {}
        self._waiting = waiting
        self._destinations = destinations
        self._spool = spool
        self._counts = counts
        self._stopped = False

    def run(self) -> None:
        """Send until stopped."""
        # Telemetry about sending telemetry would never end.
        quiet = set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True, context=get_current())
        attach(set_value(_SUPPRESS_HTTP_INSTRUMENTATION_KEY, value=True, context=quiet))
        while not self._stopped:
            with contained("sending telemetry"):
                self.step(float("inf"))

    def stop(self) -> None:
        """End `run` after the attempt that is under way."""
        with self._waiting.changed:
            self._stopped = True
            self._waiting.changed.notify_all()

    def hurry(self) -> None:
        """Try again now, but where an endpoint has asked for a pause."""
        with self._waiting.changed:
            for pace in self.paces.values():
                pace.hurry()
            self._waiting.changed.notify_all()

    def hopeless_since(self, moment: float) -> bool:
        """Whether for each batch that waits, an attempt after that moment has failed."""
        with self._waiting.changed:
            return all(self.paces[entry.signal].hopeless_since(moment) for entry in self._waiting.heads())

    def step(self, deadline: float) -> None:
        """Wait for a batch that may be sent, at most until `deadline`, and try it."""
        entry = self._next(deadline)
        if entry is None:
            return
        try:
            self._try(entry)
        except Exception:
            self.paces[entry.signal].failed(None)
            raise
        finally:
            with self._waiting.changed:
                entry.sending = False
                self._waiting.changed.notify_all()

    def _next(self, deadline: float) -> Entry | None:
        with self._waiting.changed:
            while not self._stopped and (now := time.monotonic()) < deadline:
                heads = list(self._waiting.heads())
                ready = [entry for entry in heads if self.paces[entry.signal].ready_at <= now]
                if ready:
                    entry = min(ready, key=lambda entry: entry.created_ns)
                    entry.sending = True
                    return entry
                later = min([deadline, *(self.paces[entry.signal].ready_at for entry in heads)])
                self._waiting.changed.wait(None if later == float("inf") else later - now)
        return None

    def _try(self, entry: Entry) -> None:
        from_disk = entry.batch is None
        batch = self._batch(entry)
        if batch is None:
            return
        destination = self._destinations[entry.signal]
        outcome = exchange(batch, destination, self._destinations.session(entry.signal))
        if outcome.kind == "later":
            self._failed(entry, outcome, destination.shown)
            return
        self._worked(entry.signal, destination.shown)
        if outcome.kind == "refused":
            self._refuse(batch, outcome.reason, destination.shown)
        # The file goes first: when the line is empty, so is the folder.
        self._remove_file(entry)
        if self._waiting.settle(entry):
            if outcome.kind == "refused":
                self._counts.add(refused=1)
            else:
                self._counts.add(sent=1, replayed=int(from_disk))
                self._count_rejected(outcome, entry.signal, destination.shown)
        # The spooler may have written it in between.
        self._remove_file(entry)

    def _batch(self, entry: Entry) -> Batch | None:
        batch, stored = entry.batch, entry.stored
        if batch is not None:
            return batch
        if stored is None or self._spool is None:
            return None
        try:
            return self._spool.read(stored)
        except DamagedFileError as damage:
            log.warning("a spooled batch of %s is damaged and not sent: %s", entry.signal, damage)
            self._spool.set_aside(stored)
            self._counts.add(refused=1)
            self._waiting.settle(entry)
        except FileNotFoundError:
            log.warning("a spooled batch of %s is gone: someone deleted its file", entry.signal)
            self._counts.add(dropped=1)
            self._waiting.settle(entry)
        except OSError as failure:
            self._failed(entry, Outcome("later", f"the spool cannot be read: {failure}"), "the disk")
        return None

    def _failed(self, entry: Entry, outcome: Outcome, where: str) -> None:
        pace = self.paces[entry.signal]
        # One line for each new kind of trouble, not for each attempt.
        trouble = outcome.reason.partition(" ")[0]
        if not pace.away or trouble != self._troubles.get(entry.signal):
            self._troubles[entry.signal] = trouble
            log.warning("%s of %s: %s; what cannot be sent waits", where, entry.signal, outcome.reason)
        pace.failed(outcome.wait)
        entry.attempts += outcome.suspicious
        if outcome.suspicious and entry.attempts % _PATIENCE == 0:
            self._waiting.step_back(entry)

    def _worked(self, signal: Signal, where: str) -> None:
        pace = self.paces[signal]
        if pace.away:
            log.info("%s takes %s again", where, signal)
        pace.worked()

    def _refuse(self, batch: Batch, reason: str, where: str) -> None:
        log.warning("%s refused a batch of %s, which is now a dead letter: %s", where, batch.signal, reason)
        if self._spool is not None:
            try:
                self._spool.refuse(batch, f"{where}: {reason}")
            except OSError as failure:
                log.warning("a dead letter could not be kept: %s", failure)

    def _count_rejected(self, outcome: Outcome, signal: Signal, where: str) -> None:
        if outcome.rejected and not self._counts.add(rejected=outcome.rejected).rejected:
            log.warning("%s left out %d records of %s: %s", where, outcome.rejected, signal, outcome.reason)

    def _remove_file(self, entry: Entry) -> None:
        if entry.stored is not None and self._spool is not None:
            self._spool.remove(entry.stored)
