"""Runs the shop with one fault after another, and keeps what it sent and what was wrong when."""

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from insights.asking import Answer, ask, replay
from insights.cases import SETTLED_SECONDS, Case, otlp_files, shop
from insights.recorder import Recorder
from programs import BIN, Failed, Glasshouse
from report import Report

TEN: Final = (
    "payment:exception",
    "cart:wrong-return",
    "catalog:latency",
    "checkout:cpu",
    "payment:dependency-error",
    "catalog:dependency-slow",
    "cart:pool",
    "checkout:release",
    "worker:leak",
    "gateway:exception",
)
"""Every kind of fault, in every service."""
OTHER_TEN: Final = (
    "catalog:exception",
    "checkout:wrong-return",
    "payment:latency",
    "gateway:cpu",
    "catalog:dependency-error",
    "payment:dependency-slow",
    "payment:pool",
    "catalog:release",
    "checkout:leak",
    "worker:exception",
)
"""The same kinds at other places."""
CALM_SECONDS: Final = 60.0
FAULT_SECONDS: Final = 100.0
QUIET_SECONDS: Final = 300.0
SESSIONS_A_SECOND: Final = 2.5
TRUTH: Final = "truth.json"
SUBJECT: Final = "insights_shop"
_END_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.5


def run(
    faults: Sequence[str], seed: int, record: Path | None, told: Callable[[Answer], None]
) -> list[Answer]:
    """Run the shop with these faults and ask of each when it is over, while visitors go on coming.

    `record` keeps what was sent, and the truth, for `run_recorded`. `told` hears of each answer.
    Raises `Failed` where the shop does not come to its end.
    """
    answers: list[Answer] = []

    def over(collector: Glasshouse, case: Case) -> None:
        answers.append(ask(collector, case))
        told(answers[-1])

    _run(
        ("--calm", f"{CALM_SECONDS:g}s", "--duration", f"{FAULT_SECONDS:g}s", *_flags(faults)),
        seed,
        record,
        over,
    )
    return answers


def record_quiet(seed: int, record: Path) -> None:
    """Run the shop without faults, and keep what it sent."""
    _run(("--duration", f"{QUIET_SECONDS:g}s"), seed, record, lambda _collector, _case: None)


def run_recorded(folder: Path, told: Callable[[Answer], None]) -> list[Answer]:
    """Ask of each fault of a run that was recorded."""
    answers = []
    with Glasshouse() as collector:
        files = otlp_files(folder)
        replay(collector, files, "")
        for case in recorded_cases(folder):
            answers.append(ask(collector, case))
            told(answers[-1])
    return answers


def recorded_cases(folder: Path) -> list[Case]:
    """Return the faults of a run that was recorded; `Failed` where there is no truth."""
    truth = folder / TRUTH
    if not truth.exists():
        raise Failed(f"{truth} is not there; --record makes a recording")
    return list(shop(json.loads(truth.read_text()), otlp_files(folder), CALM_SECONDS))


def report(answers: Sequence[Answer]) -> Report:
    """Return the figures that have targets."""
    figures = Report(SUBJECT, f"The shop, {len(answers)} faults: root causes")
    right = {
        "right": ("service, operation and kind right, of 10", [it.all_right for it in answers]),
        "service": ("service right, of 10", [it.service_right for it in answers]),
        "kind": ("service and kind right, of 10", [it.kind_right for it in answers]),
    }
    for key, (label, verdicts) in right.items():
        figures.add(key, label, "", 10 * sum(verdicts) / len(verdicts))
    figures.add("seconds", "seconds a question, median", "s", median(it.seconds for it in answers))
    figures.add("slowest", "seconds a question, the slowest", "s", max(it.seconds for it in answers))
    return figures


def table(answers: Sequence[Answer]) -> str:
    """Return each fault beside what was said."""
    lines = [
        "| fault | operation | said first | operation | kind | confidence | |",
        "|---|---|---|---|---|---|---|",
    ]
    for it in answers:
        said = [it.first[name] for name in ("service", "operation", "kind")] if it.first else ["-"] * 3
        verdict = "right" if it.all_right else "wrong"
        cells = (it.case.name, it.case.operation, *said, f"{it.first.get('confidence', 0):.2f}", verdict)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _run(
    options: Sequence[str], seed: int, record: Path | None, over: Callable[[Glasshouse, Case], None]
) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-shop-", ignore_cleanup_errors=True) as temporary:
        folder = record or Path(temporary)
        with Glasshouse() as collector, Recorder(collector.http, folder) as recorder:
            truth = collector.folder / TRUTH
            shop_options = ("--data-dir", collector.folder / "shop", "--endpoint", recorder.endpoint)
            traffic = ("--sessions-per-second", str(SESSIONS_A_SECOND), "--seed", str(seed))
            flags = (*shop_options, "--truth", truth, *traffic, *options)
            command = [str(part) for part in (BIN / "glasshouse", "demo", *flags)]
            with (collector.folder / "shop-output").open("wb") as output:
                running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
            try:
                _follow(running, collector, truth, over)
            finally:
                _end(running)
            shutil.copy(truth, folder / TRUTH)


def _follow(
    running: subprocess.Popen[bytes],
    collector: Glasshouse,
    truth: Path,
    over: Callable[[Glasshouse, Case], None],
) -> None:
    """Tell of each fault once it is over and felt no more, until the shop has come to its end."""
    done = 0
    while running.poll() is None:
        cases = list(shop(_read(truth), (), CALM_SECONDS))
        if done < len(cases) and time.time() - cases[done].incident.end / 1e9 > SETTLED_SECONDS:
            over(collector, cases[done])
            done += 1
        time.sleep(_POLL_SECONDS)
    if running.returncode:
        output = (collector.folder / "shop-output").read_text(errors="replace")
        raise Failed(f"the shop ended with {running.returncode}: {output[-1000:]}")


def _read(truth: Path) -> dict[str, Any]:
    if not truth.exists():
        return {"faults": []}
    written: dict[str, Any] = json.loads(truth.read_text())
    return written


def _end(running: subprocess.Popen[bytes]) -> None:
    if running.poll() is None:
        running.send_signal(signal.SIGINT)
    try:
        running.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def _flags(faults: Sequence[str]) -> list[str]:
    return [part for fault in faults for part in ("--fault", fault)]
