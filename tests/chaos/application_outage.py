"""Takes the collector away under a running application, then kills the application too, and counts.

python tests/chaos/application_outage.py --seconds 60
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import cast

import httpx

from application_stage import SIGNALS, Numbers, Stage
from collector_process import until

_PAUSE = 0.005
"""Seconds between two requests: some 150 of them a second, each with a span and a log record."""


@dataclass
class Traffic:
    """Numbered requests, one after the other, each of which the application has to answer."""

    url: str
    answered: int = 0
    failed: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def flowing(self, while_: str) -> Iterator[None]:
        """Ask all the time in this block; what it takes is noted under a name."""
        stop = threading.Event()
        thread = threading.Thread(target=self._ask, args=(stop, self.seconds.setdefault(while_, [])))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _ask(self, stop: threading.Event, seconds: list[float]) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not stop.wait(_PAUSE):
                began = time.perf_counter()
                try:
                    client.get(f"/items/{self.answered}").raise_for_status()
                except httpx.HTTPError:
                    self.failed += 1
                else:
                    self.answered += 1
                    seconds.append(time.perf_counter() - began)


@dataclass(frozen=True)
class Outcome:
    """What came of it: requests, and what of their telemetry is not in the store, or is in it twice."""

    asked: int
    failed: int
    lost: int
    spooled: int
    doubled: int
    seconds: dict[str, list[float]] = field(repr=False)

    def latency(self, while_: str) -> str:
        """Return the median and the 99th percentile of what a request took."""
        took = self.seconds[while_]
        return f"{while_}: {1e3 * median(took):.1f} ms, 99 %: {1e3 * quantiles(took, n=100)[-1]:.1f} ms"


def collector_away(folder: Path, *, seconds: float) -> Outcome:
    """Kill the collector for `seconds` under requests, and count when it is back; all has to be there."""
    with _stage(folder) as (stage, traffic):
        stage.kill_collector()
        with traffic.flowing("collector away"):
            _pass(traffic, seconds)
        spooled = len(_pairs(stage.spooled()))
        with traffic.flowing("collector back"):
            stage.start_collector()
            _pass(traffic, seconds / 4)
        everything = {signal: set(range(traffic.answered)) for signal in SIGNALS}
        return _count(stage, traffic, everything, spooled)


def both_killed(folder: Path, *, seconds: float) -> Outcome:
    """Kill the collector, and the application `seconds` later; what was on its disk has to arrive."""
    with _stage(folder) as (stage, traffic):
        stage.kill_collector()
        with traffic.flowing("collector away"):
            _pass(traffic, seconds)
        stage.kill_application()
        spooled = stage.spooled()
        stage.start_collector()
        stage.start_application()
        return _count(stage, traffic, spooled, len(_pairs(spooled)))


@contextmanager
def _stage(folder: Path) -> Iterator[tuple[Stage, Traffic]]:
    stage = Stage(folder)
    try:
        stage.start_collector()
        stage.start_application()
        traffic = Traffic(f"http://127.0.0.1:{stage.port}")
        with traffic.flowing("collector there"):
            until(lambda: traffic.failed > 0 or all(stage.stored().values()), "the first are in the store")
        yield stage, traffic
    finally:
        stage.kill_application()
        stage.kill_collector()


def _pass(traffic: Traffic, seconds: float) -> None:
    # So much time, and some requests at least, however slow the machine.
    enough, deadline = traffic.answered + 100, time.monotonic() + seconds
    until(
        lambda: time.monotonic() > deadline and (traffic.answered >= enough or traffic.failed > 0),
        "enough requests are answered",
        patience=seconds + 60,
    )


def _pairs(numbers: Numbers) -> set[tuple[str, int]]:
    return {(signal, number) for signal, found in numbers.items() for number in found}


def _count(stage: Stage, traffic: Traffic, expected: Numbers, spooled: int) -> Outcome:
    def missing() -> set[tuple[str, int]]:
        return _pairs(expected) - _pairs(stage.stored())

    with_patience = time.monotonic() + 60
    while missing() and time.monotonic() < with_patience:
        time.sleep(0.2)
    asked = traffic.answered + traffic.failed
    return Outcome(asked, traffic.failed, len(missing()), spooled, stage.doubled(), traffic.seconds)


def main() -> int:
    """Run as asked, print the counts, and say by exit code whether anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = cast("float", parser.parse_args().seconds)
    wrong = False
    for scenario in (collector_away, both_killed):
        with tempfile.TemporaryDirectory(prefix="glasshouse-outage-") as folder:
            outcome = scenario(Path(folder), seconds=seconds)
        print(f"{scenario.__name__}, {seconds:.0f} s: {outcome}")
        print("  a request, " + "; ".join(outcome.latency(while_) for while_ in outcome.seconds))
        wrong = wrong or bool(outcome.lost or outcome.failed or not outcome.spooled)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
