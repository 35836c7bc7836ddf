"""The embedded engine's data folder: whose it is now, and which engine wrote it."""

import fcntl
import os
from pathlib import Path

from glasshouse_collector.core.errors import StoreError

LOCK_FILE = "glasshouse.lock"
VERSION_FILE = "glasshouse-engine-version"


class DataFolder:
    """Holds a data folder for this process alone, from construction to `release`.

    The engine itself answers a second process with an abort or a puzzling message, so the lock is
    taken before the engine sees the folder. The kernel drops it when the process ends, however.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock: int | None = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as refused:
            raise StoreError(
                f"storage.dsn: the folder {path} cannot be used: {refused.strerror}; "
                "name a folder that this user may write to"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._lock, 32, 0).decode(errors="replace").strip()
            self.release()
            raise StoreError(
                f"storage.dsn: the folder {path} is in use by process {holder or '(unknown)'}; "
                "only one can have it open, so stop that one, or reach it through 'glasshouse store serve'"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def written_by(self) -> str | None:
        """Return the version of the engine that last opened the folder, None for a new folder."""
        try:
            return (self.path / VERSION_FILE).read_text().strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as unreadable:
            raise StoreError(
                f"storage.dsn: {self.path / VERSION_FILE} cannot be read: {unreadable}"
            ) from None

    def admit(self, version: str) -> None:
        """Refuse an engine older than the one that wrote the folder."""
        written = self.written_by()
        if written is None:
            return
        try:
            newer = version_tuple(written) > version_tuple(version)
        except ValueError:
            raise StoreError(
                f"storage.dsn: {self.path / VERSION_FILE} says {written[:40]!r}, which is no engine version; "
                "the folder may belong to something else"
            ) from None
        if newer:
            raise StoreError(
                f"storage.dsn: the data in {self.path} was written by engine {written}, newer than the "
                f"installed {version}; install that chdb version or a later one"
            )

    def note(self, version: str) -> None:
        """Write down which engine has the folder open now."""
        if self.written_by() == version:
            return
        note = self.path / VERSION_FILE
        draft = note.with_suffix(".new")
        with draft.open("w") as file:
            file.write(f"{version}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(note)

    def release(self) -> None:
        """Let another process have the folder. Safe repeatedly."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def version_tuple(version: str) -> tuple[int, int]:
    """Return major and minor: a patch release reads what its siblings wrote."""
    major, minor, *_ = version.split(".")
    return int(major), int(minor)
