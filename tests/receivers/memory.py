"""Watches the memory of this process, in which the servers of these tests run."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

ROOM = 48 << 20
"""Bytes that the process may grow by, whatever comes: the allocator's habits, and the tests' own."""


def resident_bytes() -> int:
    """Return the memory of this process, in which the server runs."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def stays_small() -> Iterator[None]:
    """Hold the growth of this process's memory, watched all the while, below `ROOM`."""
    before, most, over = resident_bytes(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.005):
            most = max(most, resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert most - before < ROOM
