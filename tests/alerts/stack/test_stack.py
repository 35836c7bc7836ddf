"""`make stack` with the real programs: what it starts, how it ends, and what it says when it cannot."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from alerting_servers import prometheus_says, skip_without_servers
from collector_process import until
from glasshouse_alerts.stack_files import SOURCE
from glasshouse_alerts.stack_programs import PORTS

KEY = "the-collector-s-own-key"


class StackProcess:
    """`python -m glasshouse_alerts.stack` with its files in `folder`."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.folder = folder
        self._printed = folder.parent / f"{folder.name}.out"
        command = [sys.executable, "-m", "glasshouse_alerts.stack", "--data-dir", str(folder), *options]
        with self._printed.open("ab") as printed:
            self.process = subprocess.Popen(
                command, stdout=printed, stderr=printed, env={**os.environ, **environ}
            )

    def says(self) -> str:
        """Return what it has printed."""
        return self._printed.read_text()

    def opened(self) -> dict[str, str]:
        """Wait until all of it is up, and return the addresses that it prints, by their names there."""

        def is_up() -> bool:
            assert self.process.poll() is None, f"the stack ended: {self.says()}"
            return "Ctrl-C stops everything." in self.says()

        until(is_up, "the stack is up", 120)
        return dict(re.findall(r"^  (API|Prometheus|Alertmanager) +(http\S+)", self.says(), re.MULTILINE))

    def programs(self) -> dict[int, str]:
        """Return the processes that print into its logs, by id, and which log it is."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                log = (process / "fd" / "1").readlink()
                dead = (process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            except OSError:
                continue
            if log.parent == self.folder.resolve() / "logs" and not dead:
                found[int(process.name)] = log.stem
        return found

    def ended(self) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(timeout=60)


def running(folder: Path, *options: str, **environ: str) -> Iterator[StackProcess]:
    """Run a stack on free ports, ten times faster, and see that nothing is left of it."""
    skip_without_servers()
    started = StackProcess(folder, "--any-port", "--speed", "10", *options, **environ)
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGINT)
        started.ended()
    assert started.programs() == {}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackProcess]:
    """Lend a stack."""
    yield from running(tmp_path / "stack")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[StackProcess]:
    """Lend a stack whose collector asks for a key."""
    yield from running(tmp_path / "stack", GLASSHOUSE_AUTH_TOKEN=KEY)


def test_the_stack_is_what_the_files_say_and_stops_in_order(stack: StackProcess) -> None:
    """Prometheus has the rules and scrapes the collector, knows Alertmanager; Ctrl-C leaves nothing."""
    at = stack.opened()
    until(lambda: bool(prometheus_says(at["Prometheus"], 'up{job="glasshouse"} == 1')), "the collector is up")
    groups = httpx.get(f"{at['Prometheus']}/api/v1/rules").json()["data"]["groups"]
    shown = {rule["name"] for group in groups for rule in group["rules"]}
    assert shown == _names_of_rules()
    until(
        lambda: _alertmanagers(at["Prometheus"]) == [f"{at['Alertmanager']}/api/v2/alerts"],
        "they know each other",
    )
    configured = yaml.safe_load(httpx.get(f"{at['Alertmanager']}/api/v2/status").json()["config"]["original"])
    assert f"{at['API']}/api/v1/alerts/webhook" in str(configured["receivers"])
    assert "to tell people, set one of GLASSHOUSE_ALERT_EMAIL_TO" in stack.says()
    assert set(stack.programs().values()) == {"collector", "prometheus", "alertmanager"}

    stack.process.send_signal(signal.SIGINT)
    assert stack.ended() == 0
    assert "Stopped; nothing is left running." in stack.says()


def test_prometheus_and_alertmanager_have_the_key_that_the_collector_asks_for(locked: StackProcess) -> None:
    """The one scrapes with it; the other tells with it what it was told."""
    at = locked.opened()
    assert httpx.get(f"{at['API']}/metrics").status_code == httpx.codes.UNAUTHORIZED
    until(lambda: bool(prometheus_says(at["Prometheus"], 'up{job="glasshouse"} == 1')), "the collector is up")
    told = [{"labels": {"alertname": "Told", "severity": "low"}, "annotations": {"summary": "by hand"}}]
    httpx.post(f"{at['Alertmanager']}/api/v2/alerts", json=told).raise_for_status()

    def names() -> list[str]:
        answer = httpx.get(f"{at['API']}/api/v1/alerts", headers={"X-API-Key": KEY}).raise_for_status()
        return [each["name"] for each in answer.json()["alerts"]]

    until(lambda: "Told" in names(), "the alert is listed")
    secrets = [
        path for path in locked.folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()
    ]
    assert {path.stat().st_mode & 0o077 for path in secrets} == {0}


def _names_of_rules() -> set[str]:
    names = set()
    for file in (SOURCE / "prometheus" / "rules").glob("*.yml"):
        for group in yaml.safe_load(file.read_text())["groups"]:
            names |= {rule.get("alert") or rule["record"] for rule in group["rules"]}
    return names


def _alertmanagers(prometheus: str) -> list[str]:
    known = httpx.get(f"{prometheus}/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
    return [each["url"] for each in known]


@pytest.mark.parametrize("name", ["prometheus", "alertmanager", "collector"])
def test_when_one_dies_the_rest_is_stopped_and_it_is_named(stack: StackProcess, name: str) -> None:
    """Whichever it is; its last words are shown."""
    stack.opened()
    [process] = [number for number, log in stack.programs().items() if log == name]
    os.kill(process, signal.SIGKILL)
    assert stack.ended() == 1
    assert f"{name} has ended (-9)" in stack.says()
    assert "The rest is stopped." in stack.says()


def test_a_stop_during_the_start_leaves_nothing(stack: StackProcess) -> None:
    """SIGTERM while the collector starts ends it as well."""
    until(lambda: bool(stack.programs()), "the first program runs")
    stack.process.send_signal(signal.SIGTERM)
    assert stack.ended() == 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """With the option that takes another."""
    skip_without_servers()
    settings = tmp_path / "settings.yaml"
    settings.write_text("{grpc_port: 0, http_port: 0, port: 0}")
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", PORTS["alertmanager"]))
            taken.listen()
        except OSError:
            pass  # something listens there already, which is the same
        refused = StackProcess(tmp_path / "stack", "--config", str(settings))
        assert refused.ended() == 2
    assert "error: alertmanager: port 9093 is taken already; --any-port takes free ports" in refused.says()
    assert refused.programs() == {}


def test_a_program_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """Before anything is started, with what installs it."""
    refused = StackProcess(tmp_path / "stack", "--any-port", PATH=str(Path(sys.executable).parent))
    assert refused.ended() == 2
    assert (
        "error: prometheus is not installed; on Debian and Ubuntu `make servers` installs it"
        in refused.says()
    )
    assert not (tmp_path / "stack" / "logs" / "collector.log").exists()


def test_what_the_collector_refuses_is_shown(tmp_path: Path) -> None:
    """Its own words of this run alone, and where a port is taken the option that helps."""
    skip_without_servers()
    settings = tmp_path / "settings.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings.write_text(f"{{grpc_port: 0, http_port: 0, port: {port}}}")
        refused = StackProcess(tmp_path / "stack", "--config", str(settings))
        assert refused.ended() == 1
    said = refused.says()
    assert f"error: port: {port} is taken on 127.0.0.1" in said
    assert "--any-port takes free ports." in said
    settings.write_text("{color: red}")
    again = StackProcess(tmp_path / "stack", "--config", str(settings))
    assert again.ended() == 1
    words = again.says().removeprefix(said)
    assert "color: no such setting" in words
    assert "is taken" not in words
