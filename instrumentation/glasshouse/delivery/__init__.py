"""Nothing is lost on the way: what the OTLP/HTTP exporters send is delivered, or kept until it can be.

The official exporters encode and compress; their requests session puts what they send into an outbox,
which sends it, keeps it on disk while the endpoint is away, and hands on what the process leaves behind.
"""

import os
from collections.abc import Callable

import requests

from glasshouse.delivery import outbox_session, quiet, telemetry
from glasshouse.delivery.batch import Signal
from glasshouse.delivery.counter import Counts
from glasshouse.delivery.destinations import Destinations
from glasshouse.delivery.letter import DeadLetter, in_folders, in_memory
from glasshouse.delivery.outbox import Outbox
from glasshouse.delivery.process_folder import folders
from glasshouse.delivery.spool import Spool, default_spool_dir, spool_folder
from glasshouse.failures import contained, log
from glasshouse.settings import Settings, load

Undo = Callable[[], None]

__all__ = [
    "Counts",
    "DeadLetter",
    "Signal",
    "counts",
    "dead_letters",
    "flush",
    "install",
    "retry_dead_letters",
    "session",
]

_outbox: Outbox | None = None
_forks_watched = False


def install(settings: Settings) -> Undo:
    """Start to deliver; the undo keeps on disk what waits, and delivers what it can.

    Only threads of its own touch disk and network. The undo takes `shutdown_seconds` at most, and far
    less where the endpoint is away.
    """
    global _outbox  # noqa: PLW0603 - a process has one outbox
    destinations = Destinations(settings)
    outbox = Outbox(destinations, lambda: _spool(settings, destinations))
    _outbox = outbox
    _watch_forks()
    speak = quiet.keep_quiet()
    telemetry.observe(lambda: _outbox)
    outbox.start()

    def undo() -> None:
        global _outbox  # noqa: PLW0603
        outbox.close(settings.shutdown_seconds)
        speak()
        if _outbox is outbox:
            _outbox = None

    return undo


def session(signal: Signal | None = None) -> requests.Session:
    """Return a session for an official OTLP/HTTP exporter, as its argument `session`.

    Each exporter needs one of its own, as it puts its certificates there. Without `signal`, that is told
    by the address. RuntimeError before `install`.
    """
    if _outbox is None:
        raise RuntimeError("delivery is not installed: call glasshouse.configure() first")
    return outbox_session.make_session(_outbox, signal)


def flush(timeout: float = 10.0) -> bool:
    """Try to deliver what waits; whether all of it is delivered.

    It takes at most `timeout` seconds, and less where an attempt fails while all of it is on disk.
    """
    with contained("flush"):
        return _outbox is None or _outbox.flush(timeout)
    return False


def counts() -> Counts:
    """Return what became of the batches of this process so far."""
    return Counts() if _outbox is None else _outbox.counts


def dead_letters() -> list[DeadLetter]:
    """Return the batches that were not delivered, oldest first: those that wait, and those refused for good.

    They are those of this service and endpoint, of all its processes; before `configure`, all that lie in
    the folder that the variables name.
    """
    with contained("dead_letters"):
        if _outbox is None:
            spool_dir = load({}).spool_dir or default_spool_dir()
            return [letter for folder in folders(spool_dir) for letter in in_folders(folder)]
        on_disk = in_folders(_outbox.spool.root) if _outbox.spool is not None else []
        return on_disk + in_memory(_outbox.waiting())
    return []


def retry_dead_letters() -> int:
    """Send what this process, or one before it, was refused once more; return the number of batches."""
    with contained("retry_dead_letters"):
        return 0 if _outbox is None else _outbox.retry_refused()
    return 0


def _spool(settings: Settings, destinations: Destinations) -> Spool | None:
    if not settings.spool_bytes:
        return None
    try:
        root = spool_folder(settings.spool_dir, settings.service_name, destinations.urls())
    except OSError as homeless:
        log.warning("telemetry is kept in memory only: %s (setting spool_dir)", homeless)
        return None
    return Spool(root, settings.spool_bytes)


def _watch_forks() -> None:
    global _forks_watched  # noqa: PLW0603
    if not _forks_watched and hasattr(os, "register_at_fork"):
        _forks_watched = True
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    with contained("starting anew in a forked process"):
        outbox_session.after_fork()
        if _outbox is not None:
            _outbox.after_fork()
