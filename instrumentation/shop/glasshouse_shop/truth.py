"""Ground truth: which fault was on from when to when, as JSON that is whole at any moment."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from glasshouse_shop.faults import EFFECTS, Fault, Kind

FORMAT_VERSION = 1


class Truth:
    """Notes what was switched, and writes it to each of `paths` whenever something changes."""

    def __init__(self, paths: list[Path], traffic: dict[str, Any]) -> None:
        self._paths = paths
        self._faults: list[dict[str, Any]] = []
        self._whole: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "start": _now(),
            "end": None,
            "traffic": traffic,
            "faults": self._faults,
        }
        self._write()

    def began(self, fault: Fault) -> None:
        """Note that a fault is on from now."""
        entry = {
            "fault": str(fault),
            "service": fault.service,
            "operation": fault.place.operation,
            "function": fault.place.function,
            "kind": str(fault.kind),
            "effect": dict(EFFECTS[Kind(fault.kind)]),
            "start": _now(),
            "end": None,
        }
        if fault.dependency:
            entry["dependency"] = fault.dependency
        self._faults.append(entry)
        self._write()

    def ended(self, fault: Fault) -> None:
        """Note that it is off from now."""
        for entry in self._faults:
            if entry["fault"] == str(fault) and entry["end"] is None:
                entry["end"] = _now()
        self._write()

    def close(self) -> None:
        """Note the end of the run, and of whatever was still on."""
        self._whole["end"] = now = _now()
        for entry in self._faults:
            entry["end"] = entry["end"] or now
        self._write()

    def _write(self) -> None:
        for path in self._paths:
            fresh = path.with_name(f".{path.name}.new")
            fresh.write_text(json.dumps(self._whole, indent=2) + "\n")
            fresh.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
