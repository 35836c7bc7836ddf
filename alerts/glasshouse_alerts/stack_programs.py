"""Collector, Prometheus and Alertmanager on one machine, with the files of `alerts/`."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import urllib3

from glasshouse_alerts.stack_files import StackFiles, auth_token
from glasshouse_alerts.stack_speed import divided
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_shop import processes
from glasshouse_shop.ending import Ending

PORTS = {"prometheus": 9090, "alertmanager": 9093}
PROGRAMS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),  # Debian's name
}
COLLECTOR, ALERTMANAGER, PROMETHEUS, DEMO = "collector", "alertmanager", "prometheus", "demo"
_HOST = "127.0.0.1"
_STARTING_SECONDS = 120.0
_ENDING_SECONDS = 30.0
_WEBHOOK_TOKEN = "GLASSHOUSE_ALERT_WEBHOOK_TOKEN"  # noqa: S105  (a variable's name)
_RESEND = "1m"
"""How often Prometheus tells Alertmanager of what goes on firing; its own default."""


@dataclass(frozen=True, slots=True)
class StackSettings:
    """What a stack is started with.

    `folder` keeps everything. `config` is the collector's file. With `any_port` the system chooses
    all ports. Durations of rules and routes are divided by `speed`. `environ` is what the programs
    get beside this process's environment.
    """

    folder: Path
    config: Path | None = None
    any_port: bool = False
    demo: bool = False
    speed: float = 1.0
    environ: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """The programs of a stack, as a context manager: started in order, stopped in reverse, none left behind.

    `start` and `stop` also take one program by name, so that it can be away for a while. A program
    started again listens where it did.
    """

    def __init__(self, settings: StackSettings, ending: Ending | None = None) -> None:
        self._settings = settings
        self._ending = ending or Ending()
        self._environ = {**os.environ, **settings.environ}
        self._programs = {name: located(name) for name in PORTS}
        self._files = StackFiles(settings.folder / "stack", settings.speed)
        self._logs = settings.folder / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._ports = {name: free_port() for name in PORTS} if settings.any_port else dict(PORTS)
        self._collector_ports: list[str] = []
        self._children: dict[str, processes.Child] = {}
        self.endpoints: dict[str, str] = {}
        """The collector's addresses by receiver, and `api`."""
        self.warnings: list[str] = []
        """What is not wrong, but perhaps not meant, in what is said about receivers of alerts."""

    def __enter__(self) -> Self:
        try:
            for name in self.names:
                self.start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self._children)):
            self.stop(name)

    @property
    def names(self) -> list[str]:
        """What belongs to it, in the order in which it is started."""
        return [COLLECTOR, ALERTMANAGER, PROMETHEUS, *([DEMO] if self._settings.demo else [])]

    def url(self, name: str) -> str:
        """Return where the collector's API, Prometheus or Alertmanager answers."""
        return f"http://{self.endpoints['api'] if name == COLLECTOR else self._address(name)}"

    def start(self, name: str) -> None:
        """Start one program and wait until it is ready.

        Raises `ChildProcessError` where it ends instead, TimeoutError, and `Ended` when told to.
        """
        starts: dict[str, Callable[[], None]] = {
            COLLECTOR: self._start_collector,
            ALERTMANAGER: self._start_alertmanager,
            PROMETHEUS: self._start_prometheus,
            DEMO: self._start_demo,
        }
        starts[name]()

    def stop(self, name: str) -> None:
        """Stop one program; what it has is kept in the folder."""
        child = self._children.pop(name, None)
        if child is not None:
            processes.stop([child], _ENDING_SECONDS, self._ending.hurried)

    def check(self) -> None:
        """ChildProcessError, with the end of what it printed, where a program has ended by itself."""
        for child in self._children.values():
            child.check()

    def _start_collector(self) -> None:
        folder, config = self._settings.folder, self._settings.config
        told = folder / "endpoints.json"
        told.unlink(missing_ok=True)
        if self._settings.any_port and not self._collector_ports:
            for option in ("--grpc-port", "--http-port", "--port"):
                self._collector_ports += [option, str(free_port())]
        options = ["--config", str(config)] if config else []
        command = [*processes.program(), "serve", "--data-dir", str(folder), *options, *self._collector_ports]
        try:
            self._launch(COLLECTOR, command, told.exists)
        except ChildProcessError as ended:
            hint = "\n--any-port takes free ports." if " is taken on " in str(ended) else ""
            raise ChildProcessError(f"{ended}{hint}") from None
        self.endpoints = json.loads(told.read_text())

    def _start_alertmanager(self) -> None:
        self._refuse_taken(ALERTMANAGER)
        rendered = self._files.alertmanager / "alertmanager.yml"
        self._render(rendered)
        self._files.hasten(rendered)
        options = [
            f"--config.file={rendered}",
            f"--storage.path={self._settings.folder / ALERTMANAGER}",
            f"--web.listen-address={self._address(ALERTMANAGER)}",
            f"--web.external-url={self.url(ALERTMANAGER)}",
            "--cluster.listen-address=",  # it is the only one
        ]
        self._launch(
            ALERTMANAGER, [self._programs[ALERTMANAGER], *options], partial(self._ready, ALERTMANAGER)
        )

    def _start_prometheus(self) -> None:
        self._refuse_taken(PROMETHEUS)
        written = self._files.write_prometheus(
            collector=self.endpoints["api"], alertmanager=self._address(ALERTMANAGER), token=self._token()
        )
        options = [
            f"--config.file={written}",
            f"--storage.tsdb.path={self._settings.folder / PROMETHEUS}",
            f"--web.listen-address={self._address(PROMETHEUS)}",
            f"--web.external-url={self.url(PROMETHEUS)}",
            f"--rules.alert.resend-delay={divided(_RESEND, self._settings.speed)}",
            "--enable-feature=exemplar-storage",
        ]
        self._launch(PROMETHEUS, [self._programs[PROMETHEUS], *options], partial(self._ready, PROMETHEUS))

    def _start_demo(self) -> None:
        folder = self._settings.folder / DEMO
        endpoint = f"http://{self.endpoints['http']}"
        command = [*processes.program(), "demo", "--data-dir", str(folder), "--endpoint", endpoint]
        log = self._logs / f"{DEMO}.log"
        self._launch(DEMO, command, lambda: "Ctrl-C stops everything" in log.read_text(errors="replace"))

    def _launch(self, name: str, command: Sequence[str], ready: Callable[[], bool]) -> None:
        log = self._logs / f"{name}.log"
        if log.exists():
            log.replace(self._logs / f"{name}.before.log")
        self._children[name] = processes.start(name, command, self._environ, log)

        def is_ready() -> bool:
            self.check()
            return ready()

        self._ending.wait_until(is_ready, f"{name} is ready", _STARTING_SECONDS)

    def _render(self, target: Path) -> None:
        """Have `glasshouse alertmanager-config` write the configuration, the collector's webhook in it."""
        ours = {"GLASSHOUSE_ALERT_WEBHOOK_URL": f"{self.url(COLLECTOR)}/api/v1/alerts/webhook"}
        if (token := self._token()) and f"{_WEBHOOK_TOKEN}_FILE" not in self._environ:
            ours[_WEBHOOK_TOKEN] = token
        command = [*processes.program(), "alertmanager-config", "--output", str(target)]
        command += ["--templates", str(self._files.templates)]
        command += ["--alertmanager-version", _version(self._programs[ALERTMANAGER])]
        done = subprocess.run(  # noqa: S603  (this program's own command)
            command, env=ours | self._environ, capture_output=True, text=True, check=False
        )
        told = done.stderr.strip().splitlines()
        if done.returncode:
            raise ConfigurationError("\n".join(line.removeprefix("error: ") for line in told))
        self.warnings = told

    def _token(self) -> str:
        return auth_token(self._settings.config, self._environ)

    def _address(self, name: str) -> str:
        return f"{_HOST}:{self._ports[name]}"

    def _ready(self, name: str) -> bool:
        try:
            return urllib3.request("GET", f"{self.url(name)}/-/ready", timeout=1, retries=False).status == 200  # noqa: PLR2004
        except urllib3.exceptions.HTTPError:
            return False

    def _refuse_taken(self, name: str) -> None:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((_HOST, self._ports[name]))
            except OSError:
                raise ConfigurationError(
                    f"{name}: port {self._ports[name]} is taken already; --any-port takes free ports"
                ) from None


def located(name: str) -> str:
    """Return the path of a program; `ConfigurationError` says how to have it installed."""
    for each in PROGRAMS[name]:
        if path := shutil.which(each):
            return path
    raise ConfigurationError(f"{name} is not installed; on Debian and Ubuntu `make servers` installs it")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server((_HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _version(alertmanager: str) -> str:
    """Return the version of an Alertmanager, such as 0.25.0."""
    done = subprocess.run(  # noqa: S603  (a program found on the path by its name)
        [alertmanager, "--version"], capture_output=True, text=True, check=True
    )
    words = (done.stdout + done.stderr).split()
    return words[words.index("version") + 1].partition("+")[0]
