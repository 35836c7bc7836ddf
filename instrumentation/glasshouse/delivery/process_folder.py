"""One folder of the spool for each process, held by a lock that ends with the process."""

import contextlib
import os
import secrets
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCK = "lock"
# Of all folders that this process has open, also for a moment: a forked child has them too.
_descriptors: set[int] = set()
_MOST_DIGITS = 20


class ProcessFolder:
    """A folder that is this process's alone as long as the object is open.

    The lock is of the kind that a fork shares: a child must `abandon_inherited`. The lock file
    says how much its owner keeps there, so that processes can share one bound.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def create(cls, root: Path) -> "ProcessFolder":
        """Make a folder under `root`, which is made too, for this user alone; OSError where it cannot be."""
        _require_locks()
        _make_private(root)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        # It appears under its name when it is locked: nobody takes it for that of a dead process.
        unborn = root / f".{name}"
        unborn.mkdir(mode=0o700)
        descriptor = os.open(unborn / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _descriptors.add(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unborn.rename(root / name)
        except BaseException:
            _close(descriptor)
            (unborn / _LOCK).unlink()
            unborn.rmdir()
            raise
        return cls(root / name, descriptor)

    @classmethod
    def take(cls, path: Path) -> "ProcessFolder | None":
        """Take over the folder of a process that is gone; None where it lives, or another was quicker."""
        _require_locks()
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path / _LOCK, flags, 0o600)
        except (FileNotFoundError, PermissionError):
            return None
        _descriptors.add(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have removed it between our opening and our locking it.
            if os.path.samestat(os.fstat(descriptor), (path / _LOCK).stat(follow_symlinks=False)):
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            _close(descriptor)
            raise
        _close(descriptor)
        return None

    def declare(self, used_bytes: int) -> None:
        """Tell the other processes how much is kept here."""
        os.pwrite(self._descriptor, f"{used_bytes:0{_MOST_DIGITS}d}".encode(), 0)

    def close(self) -> None:
        """Give the folder up; it is removed if nothing is in it, else another process may take it."""
        with contextlib.suppress(OSError):
            if [*os.listdir(self.path)] == [_LOCK]:  # noqa: PTH208 - names are all that is needed
                (self.path / _LOCK).unlink()
                self.path.rmdir()
        _close(self._descriptor)


def abandon_inherited() -> None:
    """Let go, in a forked child, of the parent's folders: their locks stay with the parent alone."""
    for descriptor in list(_descriptors):
        _close(descriptor)


def folders(root: Path) -> list[Path]:
    """Return the folders of all processes, dead or alive; none where there is no spool."""
    try:
        with os.scandir(root) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []


def declared_bytes(path: Path) -> int:
    """Return how much the owner of a folder says it keeps there; 0 where it says nothing."""
    try:
        with (path / _LOCK).open("rb") as lock:
            return int(lock.read(_MOST_DIGITS))
    except (OSError, ValueError):
        return 0


def _close(descriptor: int) -> None:
    _descriptors.discard(descriptor)
    os.close(descriptor)


def _require_locks() -> None:
    if fcntl is None:
        raise OSError("this system has no file locks of the kind that the spool needs")


def _make_private(root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        root.mkdir(mode=0o700)
    status = root.stat(follow_symlinks=False)
    if status.st_uid != os.getuid():
        raise PermissionError(f"{root} belongs to another user")
