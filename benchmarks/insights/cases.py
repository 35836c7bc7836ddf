"""What is asked of the analysis, and the right answers: nothing but a benchmark reads those."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from glasshouse_collector.insights.windows import SECOND, Window
from insights.recording import Recording
from programs import Failed

TRAIN_TICKET_KINDS: Final = {
    "return": "early_return",
    "exception": "exception",
    "cpu_contention": "cpu_contention",
    "network_delay": "network_delay",
}
SHOP_KINDS: Final = {
    "exception": "exception",
    "wrong-return": "early_return",
    "latency": "slow_code",
    "cpu": "cpu_contention",
    "dependency-error": "dependency_error",
    "dependency-slow": "dependency_slow",
    "pool": "pool_exhausted",
    "release": "bad_release",
    "leak": "memory_leak",
}
"""What each injected fault is called, as the analysis calls it."""
BEFORE_SECONDS: Final = 60
AFTER_SECONDS: Final = 120
SETTLED_SECONDS: Final = 10
"""After a fault of the shop, until calls that still felt it are over."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fault: what was recorded, the windows to ask about, and the answer.

    `files` are OTLP JSON Lines. An empty `operation` is one that is not known. `one_in` is more than 1 where
    one trace in so many is left of what was recorded.
    """

    name: str
    files: tuple[Path, ...]
    incident: Window
    baselines: tuple[Window, ...]
    service: str
    kind: str
    operation: str = ""
    one_in: int = 1


def train_ticket(folder: Path) -> list[Case]:
    """Return the cases of a folder with `cases.json`; raises `Failed` where there is none."""
    sheet = folder / "cases.json"
    if not sheet.exists():
        raise Failed(
            f"{sheet} is not there; name the folder of the Train Ticket recordings: TRAINTICKET=FOLDER"
        )
    normal = {day: _normal_minute(folder / f"normal-{day}") for day in _days(folder)}
    return [_train_ticket_case(folder, written, normal) for written in json.loads(sheet.read_text())]


def shop(truth: dict[str, Any], files: tuple[Path, ...], calm_seconds: float) -> Iterator[Case]:
    """Yield a case for each fault that a run of the shop has ended, by its `truth.json`.

    Each is compared with the calm before it, less what may still have felt the fault before that.
    """
    for fault in truth["faults"]:
        if fault["end"] is None:
            continue
        start, end = _nanoseconds(fault["start"]), _nanoseconds(fault["end"])
        calm = Window(int(start - (calm_seconds - SETTLED_SECONDS) * SECOND), start)
        yield Case(
            fault["fault"],
            files,
            Window(start, end),
            (calm,),
            fault["service"],
            SHOP_KINDS[fault["kind"]],
            fault["operation"],
        )


def _train_ticket_case(
    folder: Path, written: dict[str, Any], normal: dict[str, tuple[tuple[Path, ...], Window]]
) -> Case:
    injected = _nanoseconds(written["injected_at"])
    day_files, day_window = normal[written["injected_at"][:10]]
    return Case(
        written["case"],
        (*otlp_files(folder / written["case"]), *day_files),
        Window(injected, injected + AFTER_SECONDS * SECOND),
        (Window(injected - BEFORE_SECONDS * SECOND, injected), day_window),
        written["service"],
        TRAIN_TICKET_KINDS[written["fault"]],
    )


def _days(folder: Path) -> list[str]:
    return [each.name.removeprefix("normal-") for each in sorted(folder.glob("normal-*"))]


def _normal_minute(folder: Path) -> tuple[tuple[Path, ...], Window]:
    files = otlp_files(folder)
    return files, Recording.read(files).window()


def otlp_files(folder: Path) -> tuple[Path, ...]:
    """Return the recordings in a folder; raises `Failed` where there are none."""
    found: Sequence[Path] = sorted(folder.glob("*.jsonl.gz"))
    if not found:
        raise Failed(f"{folder}: no *.jsonl.gz are there")
    return tuple(found)


def _nanoseconds(written: str) -> int:
    """Return nanoseconds since the epoch of a time in UTC, to the microsecond."""
    moment = datetime.fromisoformat(written.replace(" ", "T")).astimezone(UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1_000
