"""Which faults are on: a small file that the demo writes and every service looks at.

A file, so that switching leaves nothing in the telemetry, and reaches whatever process looks next.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "SHOP_SWITCHBOARD"


class Switchboard:
    """Writes and reads the names of the faults that are on. Without a file none is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._on: frozenset[str] = frozenset()

    @classmethod
    def of_this_process(cls) -> "Switchboard":
        """Return the one that the demo has named to this service."""
        return cls(Path(os.environ.get(VARIABLE, os.devnull)))

    def write(self, names: Iterable[str]) -> None:
        """Switch these on, all others off; readers see the old or the new, never a part."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(sorted(names)))
        fresh.replace(self._path)

    def on(self) -> frozenset[str]:
        """Return the names of those that are on; one `stat` where nothing has changed."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_ino)
            if seen != self._seen:
                self._on = frozenset(json.loads(self._path.read_text() or "[]"))
                self._seen = seen
        except FileNotFoundError:
            self._on, self._seen = frozenset(), None
        return self._on
