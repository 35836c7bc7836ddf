"""The spool: batches on disk, shared by the processes of one service, inherited from those that died."""

import contextlib
import hashlib
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from glasshouse.delivery import batch_file
from glasshouse.delivery.batch import Batch, Signal
from glasshouse.delivery.batch_file import REFUSED, Stored
from glasshouse.delivery.process_folder import ProcessFolder, declared_bytes, folders

log = logging.getLogger("glasshouse")

_REFUSED_SHARE = 4
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")


def spool_folder(spool_dir: Path | None, service_name: str | None, urls: Mapping[Signal, str]) -> Path:
    """Return the folder of a service and the endpoints it sends to; OSError where there is no home.

    What waits for one endpoint is never sent to another, nor one service's telemetry by another, with
    another's key.
    """
    service = service_name or "unknown_service"
    addresses = [(signal, _bare(url)) for signal, url in sorted(urls.items())]
    digest = hashlib.blake2s(repr((service, addresses)).encode(), digest_size=6).hexdigest()
    label = _STRANGE.sub("_", service)[:60].lstrip(".")
    return (spool_dir or default_spool_dir()) / f"{label}-{digest}"


def default_spool_dir() -> Path:
    """Return the folder of the user's state; OSError where there is no home."""
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError as homeless:
        raise OSError(str(homeless)) from None
    return base / "glasshouse" / "spool"


class Spool:
    """The files of this process, and those it inherits; methods raise OSError where the disk does.

    `bound` is shared by all processes in the folder: whoever keeps more than an equal share makes room
    once all of them together keep more than the bound. Threads may share it.
    """

    def __init__(self, root: Path, bound: int) -> None:
        self.root = root
        self._bound = bound
        self._lock = threading.Lock()
        self._own: ProcessFolder | None = None
        self._path: Path | None = None
        self._refused: deque[Stored] = deque()
        self._refused_bytes = 0
        self._closed = False

    def write(self, batch: Batch) -> Stored:
        """Keep a batch."""
        return batch_file.write(self._folder(), batch)

    def read(self, stored: Stored) -> Batch:
        """Return a batch; `DamagedFileError` where the file is not what was written."""
        return batch_file.read(self._folder() / stored.name)

    def remove(self, stored: Stored) -> None:
        """Delete a batch, even after `close`; nothing happens where it is gone already."""
        if self._path is not None:
            (self._path / stored.name).unlink(missing_ok=True)

    def refuse(self, batch: Batch, reason: str) -> None:
        """Keep a batch as a dead letter; the oldest dead letters make room."""
        self._keep_refused(batch_file.write(self._folder(), batch, refused=reason))

    def set_aside(self, stored: Stored) -> None:
        """Make a dead letter of a file that cannot be read."""
        path = self._folder() / stored.name
        path.rename(path.with_name(stored.name + REFUSED))
        self._keep_refused(stored._replace(name=stored.name + REFUSED))

    def refused_bytes(self) -> int:
        """Return what the dead letters take."""
        return self._refused_bytes

    def adopt(self) -> list[Stored]:
        """Move here what dead processes left, and return what of it waits to be sent, oldest first.

        What cannot be moved stays where it is, for the next attempt.
        """
        waiting: list[Stored] = []
        for path in folders(self.root):
            if self._own is not None and path == self._own.path:
                continue
            dead = ProcessFolder.take(path)
            if dead is None:
                continue
            try:
                self._move_in(path, waiting)
            except OSError as failure:
                log.warning("telemetry of an ended process cannot be taken over yet: %s", failure)
            finally:
                dead.close()
        return sorted(waiting)

    def retry_refused(self) -> list[Stored]:
        """Make readable dead letters wait again, and return them."""
        with self._lock:
            refused, self._refused, self._refused_bytes = list(self._refused), deque(), 0
        again: list[Stored] = []
        for stored in refused:
            path = self._folder() / stored.name
            try:
                batch_file.read(path)
            except (batch_file.DamagedFileError, OSError):
                self._keep_refused(stored)
                continue
            waiting = stored._replace(name=stored.name.removesuffix(REFUSED))
            path.rename(path.with_name(waiting.name))
            again.append(waiting)
        return again

    def overflows(self, waiting_bytes: int) -> bool:
        """Whether this process alone keeps more than all may."""
        return waiting_bytes + self._refused_bytes > self._bound

    def excess(self, waiting_bytes: int) -> int:
        """Return how many bytes this process has to give up, and tell the others what it keeps."""
        own = waiting_bytes + self.refused_bytes()
        if self._own is None:
            return 0
        with contextlib.suppress(OSError):  # a full disk
            self._own.declare(own)
        others = [declared_bytes(path) for path in folders(self.root) if path != self._own.path]
        share = self._bound // (len(others) + 1)
        return max(0, min(own + sum(others) - self._bound, own - share))

    def close(self) -> None:
        """Give up the folder; what is in it is for the next process."""
        with self._lock:
            own, self._own, self._closed = self._own, None, True
        if own is not None:
            own.close()

    def _folder(self) -> Path:
        with self._lock:
            if self._closed:
                raise OSError("the spool is closed")
            if self._own is None:
                self._own = ProcessFolder.create(self.root)
                self._path = self._own.path
            return self._own.path

    def _move_in(self, dead: Path, waiting: list[Stored]) -> None:
        for stored in batch_file.find(dead):
            (dead / stored.name).rename(self._folder() / stored.name)
            if stored.refused:
                self._keep_refused(stored)
            else:
                waiting.append(stored)
        for name in os.listdir(dead):  # noqa: PTH208
            if name.startswith("."):  # torn by the end of the process
                (dead / name).unlink(missing_ok=True)

    def _keep_refused(self, stored: Stored) -> None:
        with self._lock:
            self._refused.append(stored)
            self._refused_bytes += stored.disk_bytes
            gone = []
            while self._refused_bytes > self._bound // _REFUSED_SHARE:
                gone.append(self._refused.popleft())
                self._refused_bytes -= gone[-1].disk_bytes
        for each in gone:
            with contextlib.suppress(FileNotFoundError):
                self.remove(each)


def _bare(url: str) -> str:
    # Neither a password nor a token in the query may leave a trace, and both may change.
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
