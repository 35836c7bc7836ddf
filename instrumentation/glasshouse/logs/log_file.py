"""A log file with rotation that several processes may write, as the workers of a server do."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

from glasshouse.failures import contained

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class LogFile:
    """Appends lines; at `most_bytes` the file becomes `.1`, that one `.2`, and so on, `count` of them kept.

    Each line is one write to the end of the file, so lines of several processes never mix; one of them at a
    time rotates, and each may go over the size by a line. 0 bytes: never rotated. A file moved or removed by
    others is made anew. A line that cannot be written is lost, and the failure logged; OSError at the start.
    """

    def __init__(self, path: Path, most_bytes: int, count: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._count = count
        # Reentrant: the garbage collector may run a __del__ that logs while it is held.
        self._lock = threading.RLock()
        self._file = -1
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()
        _files.add(self)

    def write(self, line: str) -> None:
        """Append one line."""
        written = f"{line}\n".encode(errors="backslashreplace")
        with contained("writing the log file"), self._lock:
            if not self._is_current():
                self._open()
            if self._is_full(len(written)):
                with self._alone():
                    self._rotate(len(written))
            os.write(self._file, written)

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        with self._lock:
            self._close()

    def _open(self) -> None:
        self._close()
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _is_current(self) -> bool:
        if self._file < 0:
            return False
        try:
            named, opened = self._path.stat(), os.fstat(self._file)
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

    def _is_full(self, more: int) -> bool:
        size = os.fstat(self._file).st_size
        return 0 < self._most_bytes < size + more and size > 0

    def _rotate(self, more: int) -> None:
        # Another process may have done it while this one waited.
        if not self._is_current():
            self._open()
        if not self._is_full(more):
            return
        for number in range(self._count - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        if self._count > 0:
            self._path.replace(self._numbered(1))
        else:
            self._path.unlink()
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if fcntl is None:
            yield
            return
        lock = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def after_fork(self) -> None:
        """Replace the lock in a forked child, where a thread that is not there may hold the old one."""
        self._lock = threading.RLock()


_files: WeakSet[LogFile] = WeakSet()


def _after_fork() -> None:
    for each in _files:
        each.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
