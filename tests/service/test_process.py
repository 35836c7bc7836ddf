"""What the process does with memory it freed, seen from outside."""

import platform
import subprocess
import sys

import pytest

_FREED = """
import ctypes, sys
from glasshouse_collector.process import keep_freed_memory

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

if sys.argv[1] == "kept":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
size = 24 << 20
block = libc.malloc(ctypes.c_size_t(size))
ctypes.memset(block, 1, size)
held = resident()
libc.free(block)
print(held - resident())
"""


def _given_back(how: str) -> int:
    """Return how many of 24 MiB leave the process when they are freed."""
    ended = subprocess.run([sys.executable, "-c", _FREED, how], capture_output=True, check=True, text=True)
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_freed_memory_is_kept_for_the_next_batch() -> None:
    """By default a large block goes back to the kernel at once."""
    assert _given_back("default") > 22 << 20
    assert _given_back("kept") < 1 << 20
