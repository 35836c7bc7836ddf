"""The demo: a collector, the shop, its visitors and its faults, from start to a clean end."""

import fcntl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glasshouse_shop import DATA_DIR, admission, processes, wishes
from glasshouse_shop.collector import Collector
from glasshouse_shop.ending import Ending
from glasshouse_shop.faults import BAD_RELEASE, FAULTS, GOOD_RELEASE, Fault, Kind
from glasshouse_shop.processes import Child
from glasshouse_shop.services import Services, environment
from glasshouse_shop.switchboard import Switchboard
from glasshouse_shop.truth import Truth

_TICK_SECONDS = 0.2
_ASK_AGAIN_SECONDS = 15.0
_ENDING_SECONDS = 10.0
WISHES = "wishes"

Say = Callable[[str], None]


class Refused(Exception):
    """The demo cannot start so."""


@dataclass(frozen=True)
class Plan:
    """What was asked for. Without faults `seconds` is the length of all; None: until it is told to end."""

    data_dir: Path
    endpoint: str | None = None
    any_port: bool = False
    sessions_per_second: float = 1.0
    seed: int | None = None
    faults: tuple[Fault, ...] = ()
    seconds: float | None = None
    calm_seconds: float = 60.0
    truth: Path | None = None


class Demo:
    """One run. `start`, `run` and `stop`, in this order; `stop` after whatever happened."""

    def __init__(self, plan: Plan, ending: Ending, say: Say) -> None:
        self._plan, self._ending, self._say = plan, ending, say
        folder = plan.data_dir
        for name in ("", "logs", WISHES):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for _ in wishes.taken(folder / WISHES):
            continue  # of an earlier run
        self._board = Switchboard(folder / "faults.json")
        self._board.write([])
        self._collector = Collector(folder / "collector", folder / "logs" / "collector.log", plan.any_port)
        self._services: Services | None = None
        self._visitors: Child | None = None
        traffic = {"sessions_per_second": plan.sessions_per_second, "seed": plan.seed}
        paths = [folder / "truth.json", *([plan.truth] if plan.truth else [])]
        self._truth = Truth(paths, traffic)
        self._on: dict[Fault, float] = {}
        self._endpoint = ""
        self._refused = False
        self._asked_again = time.monotonic() + _ASK_AGAIN_SECONDS

    def start(self) -> None:
        """Start everything, and say where to look."""
        endpoint = self._plan.endpoint
        if endpoint is None:
            self._say("Starting the collector …")
            self._collector.start(environment(), self._ending)
            endpoint = self._collector.endpoint
        self._endpoint = endpoint
        self._say_if_refused()
        self._say("Starting the shop …")
        self._services = Services(self._plan.data_dir, endpoint, self._plan.data_dir / "faults.json")
        self._services.start(self._ending)
        self._visitors = self._start_visitors(self._services.gateway)
        self._say(self._where_to_look(endpoint, self._services.gateway))

    def run(self) -> None:
        """Go through the plan; without one go on until `Ended`."""
        if not self._plan.faults:
            self._pass(self._plan.seconds)
            return
        self._pass(self._plan.calm_seconds)
        for fault in self._plan.faults:
            self._switch_on(fault, self._plan.seconds or 0.0)
            self._pass(self._plan.seconds)
            self._switch_off(fault)
            self._pass(self._plan.calm_seconds)

    def stop(self) -> None:
        """End everything, senders before the collector."""
        self._say("Stopping …")
        hurried = self._ending.hurried
        self._truth.close()
        self._board.write([])
        if self._visitors is not None:
            processes.stop([self._visitors], _ENDING_SECONDS, hurried)
        if self._services is not None:
            self._services.stop(hurried)
        self._collector.stop(hurried)

    def _pass(self, seconds: float | None) -> None:
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            self._ending.wait(_TICK_SECONDS)
            self._check()
            for wanted in wishes.taken(self._plan.data_dir / WISHES):
                self._fulfil(wanted)
            for fault in [fault for fault, end in self._on.items() if end <= time.monotonic()]:
                self._switch_off(fault)

    def _fulfil(self, wanted: wishes.Wish) -> None:
        if wanted.fault is None:
            for fault in list(self._on):
                self._switch_off(fault)
        elif wanted.fault in FAULTS:
            self._switch_on(FAULTS[wanted.fault], wanted.seconds)

    def _check(self) -> None:
        self._collector.check()
        if self._services is not None:
            self._services.check()
        if self._visitors is not None:
            self._visitors.check()
        if time.monotonic() > self._asked_again:
            self._asked_again = time.monotonic() + _ASK_AGAIN_SECONDS
            self._say_if_refused()

    def _say_if_refused(self) -> None:
        """Say it once: also where the first key is made while the shop is open."""
        if self._refused:
            return
        refused = admission.refusal(self._endpoint, environment())
        if refused is not None:
            self._refused = True
            self._say(f"Warning: {refused}")

    def _switch_on(self, fault: Fault, seconds: float) -> None:
        if fault not in self._on:
            if fault.kind is Kind.RELEASE:
                self._release(fault, BAD_RELEASE, lambda: self._truth.began(fault))
            else:
                self._board.write(str(each) for each in [*self._on, fault])
                self._truth.began(fault)
            self._say(f"{_clock()} {fault} is on")
        self._on[fault] = time.monotonic() + seconds

    def _switch_off(self, fault: Fault) -> None:
        if self._on.pop(fault, None) is None:
            return
        if fault.kind is Kind.RELEASE:
            self._release(fault, GOOD_RELEASE, lambda: None)
        else:
            self._board.write(map(str, self._on))
        self._truth.ended(fault)
        self._say(f"{_clock()} {fault} is off")

    def _release(self, fault: Fault, release: str, taken_over: Callable[[], None]) -> None:
        if self._services is not None:
            self._services.release(fault.service, release, self._ending, taken_over=taken_over)

    def _start_visitors(self, gateway: str) -> Child:
        command = [sys.executable, "-m", "glasshouse_shop.traffic", "--gateway", gateway]
        command += ["--sessions-per-second", str(self._plan.sessions_per_second)]
        if self._plan.seed is not None:
            command += ["--seed", str(self._plan.seed)]
        return processes.start(
            "visitors", command, environment(), self._plan.data_dir / "logs" / "visitors.log"
        )

    def _where_to_look(self, endpoint: str, gateway: str) -> str:
        folder = self._plan.data_dir
        lines = ["", "The shop is open, and visitors are in it.", "", f"  shop        {gateway}/products"]
        if self._plan.endpoint is None:
            lines += [
                f"  API         {self._collector.api}   (/docs, /health, /metrics)",
                f"  OTLP/HTTP   {endpoint}",
            ]
        lines += [f"  logs        {folder / 'logs'}", f"  truth       {folder / 'truth.json'}"]
        if self._plan.endpoint is None:
            query = "SELECT ServiceName, count(), avg(Duration) FROM otel_traces GROUP BY 1"
            lines += ["", "  What is stored, durations in nanoseconds:"]
            lines += [f'    curl {self._collector.api}/api/v1/sql --json \'{{"query": "{query}"}}\'']
        where = "" if folder == DATA_DIR else f" --data-dir {folder}"
        lines += ["", "  Break something (`glasshouse demo faults` lists what there is):"]
        lines += [f"    glasshouse demo{where} fault payment:latency --duration 1m"]
        return "\n".join([*lines, "", "Ctrl-C stops everything.", ""])


@contextmanager
def sole(folder: Path) -> Iterator[None]:
    """Hold the folder for one demo at a time; `Refused` where another runs there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"a demo runs already in {folder}; give another --data-dir") from None
        yield


def runs(folder: Path) -> bool:
    """Whether a demo runs in the folder."""
    try:
        with sole(folder):
            return False
    except Refused:
        return True


def _clock() -> str:
    return time.strftime("%H:%M:%S")
