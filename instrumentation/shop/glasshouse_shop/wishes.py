"""How another program asks a running demo for a fault: a file in its folder, taken when it is read."""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_SUFFIX = ".json"


@dataclass(frozen=True)
class Wish:
    """A fault by name, for so many seconds from now; none: all that are on are to end."""

    fault: str | None
    seconds: float


def wish(folder: Path, wanted: Wish) -> Path:
    """Leave a wish; the file that is returned is gone when the demo has taken it."""
    path = folder / f"{uuid.uuid4().hex}{_SUFFIX}"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(wanted)))
    fresh.replace(path)
    return path


def taken(folder: Path) -> Iterator[Wish]:
    """Take the wishes that are there, oldest first; what is no wish is left out."""
    found = sorted(folder.glob(f"*{_SUFFIX}"), key=os.path.getmtime)
    for path in found:
        written = path.read_text()
        path.unlink()
        try:
            yield Wish(**json.loads(written))
        except (ValueError, TypeError):
            continue
