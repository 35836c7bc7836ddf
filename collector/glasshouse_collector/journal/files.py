"""Files that are there wholly or not at all."""

import os
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make the directory's entries (creations, renames, removals) survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` at `path`, durably: a reader, or the next start, finds the old or the new, whole.

    Raises OSError; then `path` is as it was.
    """
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_fully(descriptor: int, content: bytes | memoryview, offset: int) -> None:
    """Write all of `content` at `offset`; raises OSError, then any part of it may be written."""
    left = memoryview(content)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left = left[written:]
        offset += written
