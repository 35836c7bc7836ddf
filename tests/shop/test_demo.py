"""The command `glasshouse demo`: a script with its truth, a clean end, and clear refusals."""

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector_process import CollectorProcess, until
from glasshouse_shop import admission, processes
from glasshouse_shop.commands import demo
from glasshouse_shop.faults import FAULTS, Kind
from shop_process import ShopProcess

NOWHERE = ("--endpoint", "http://127.0.0.1:9")


def test_a_script_runs_by_itself_and_writes_the_truth(tmp_path: Path, started: list[ShopProcess]) -> None:
    """Collector, shop, calm, the fault, calm, end: with one command, and nothing is left."""
    truth = tmp_path / "truth.json"
    script = ("--fault", "payment:latency", "--duration", "1s", "--calm", "0.5s", "--truth", str(truth))
    shop = ShopProcess(tmp_path / "demo", "--any-port", "--sessions-per-second", "20", *script)
    started.append(shop)
    assert shop.process.wait(timeout=120) == 0, shop.says()
    assert not shop.processes()
    written = json.loads(truth.read_text())
    (fault,) = written["faults"]
    about = {name: fault[name] for name in ("fault", "service", "operation", "kind")}
    assert about == {
        "fault": "payment:latency",
        "service": "payment",
        "operation": "POST /charges",
        "kind": "latency",
    }
    moments = [written["start"], fault["start"], fault["end"], written["end"]]
    assert moments == sorted(moments)
    on = datetime.fromisoformat(fault["end"]) - datetime.fromisoformat(fault["start"])
    assert on.total_seconds() >= 1
    logs = tmp_path / "demo" / "logs"
    assert (logs / "collector.log").read_text().rstrip().endswith("is kept.")
    assert json.loads((logs / "visitors.log").read_text())["200"] > 0


@pytest.mark.parametrize("signal_of_the_end", ["interrupt", "kill"])
def test_however_it_ends_no_process_is_left(
    signal_of_the_end: str, tmp_path: Path, started: list[ShopProcess]
) -> None:
    """Also in the middle of starting; and where it is killed itself, the others follow."""
    shop = ShopProcess(tmp_path / "demo", *NOWHERE)
    started.append(shop)
    everyone = 8  # itself, five services, the worker, the outside
    until(lambda: len(shop.processes()) >= everyone, "all were started")
    if signal_of_the_end == "interrupt":
        assert shop.interrupt() == 0, shop.says()
        assert "nothing is left running" in shop.says()
    else:
        shop.process.kill()
        shop.process.wait()
    until(lambda: not shop.processes(), "none is left")


def test_a_collector_that_wants_a_key_is_told_of_once(tmp_path: Path, started: list[ShopProcess]) -> None:
    """With what to do about it; not where a right key is given, however it is."""
    wanting = CollectorProcess(tmp_path / "collector", env={"GLASSHOUSE_AUTH_TOKEN": "right"})
    try:
        endpoint = f"http://{wanting.endpoints()['http']}"
        said = f"the collector at {endpoint} keeps nothing of the shop (401: "
        for options, times in (((), 1), (("--key", "right"), 0)):
            shop = ShopProcess(tmp_path / f"demo{times}", "--endpoint", endpoint, *options)
            started.append(shop)
            until(lambda shop=shop: "Starting the shop" in shop.says(), "the collector was asked")  # type: ignore[misc]
            assert shop.interrupt() == 0, shop.says()
            assert shop.says().count(said) == times
            assert (
                shop.says().count("by --key, GLASSHOUSE_API_KEY=KEY, or OTEL_EXPORTER_OTLP_HEADERS=") == times
            )
        for environ in ({admission.KEY: "right"}, {admission.HEADERS: "x-api-key=right"}):
            assert admission.refusal(endpoint, environ) is None
        assert "opens nothing here" in str(admission.refusal(endpoint, {admission.KEY: "wrong"}))
    finally:
        wanting.kill()


def test_a_collector_that_cannot_start_says_why_and_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where another one has the ports: its own words, and the options that lead out."""
    refusing = [sys.executable, "-c", "import sys; sys.exit('error: 4318 is taken')"]
    monkeypatch.setattr(processes, "program", lambda: refusing)
    refused = CliRunner().invoke(demo, ["--data-dir", str(tmp_path / "demo")])
    assert refused.exit_code == 1
    assert "error: 4318 is taken" in refused.output
    assert "--any-port" in refused.output


def test_a_service_that_ends_ends_the_demo(tmp_path: Path, started: list[ShopProcess]) -> None:
    """With its name, what it said last, and exit code 1; it is no half shop."""
    shop = ShopProcess(tmp_path / "demo", *NOWHERE, "--sessions-per-second", "0.1")
    started.append(shop)
    until(lambda: len(shop.processes()) > 1, "a service was started")
    outside = next(pid for pid in shop.processes() if "outside" in _command(pid))
    os.kill(outside, signal.SIGKILL)
    assert shop.process.wait(timeout=60) == 1
    assert "Error: outside has ended (-9)" in shop.says()
    assert not shop.processes()


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_a_wrong_fault_is_refused_with_the_right_ones(tmp_path: Path) -> None:
    """Exit code 2, the name, and all there are."""
    for arguments in (["--fault", "payment:lateness", "--duration", "1s"], ["fault", "payments:latency"]):
        refused = CliRunner().invoke(demo, ["--data-dir", str(tmp_path), *arguments])
        assert refused.exit_code == 2
        assert arguments[1] in refused.output
        assert all(name in refused.output for name in FAULTS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "payment:latency"], "--fault needs --duration"),
        (["--duration", "soon"], "should be a duration, as 90s, 5m or 1h"),
        (["--duration", "-5s"], "should be a duration"),
        (["--endpoint", "localhost"], "should be a URL, as http://localhost:4318"),
        (["--sessions-per-second", "0"], "is not in the range"),
        (["--truth", "/nowhere/truth.json"], "--truth: there is no folder /nowhere"),
        (["fault", "payment:latency"], "no demo runs in"),
        (["calm"], "no demo runs in"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    """A user's mistake: one clear text, exit code 2."""
    refused = CliRunner().invoke(demo, ["--data-dir", str(tmp_path / "demo"), *arguments])
    assert refused.exit_code == 2, refused.output
    assert said in refused.output


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """The light install has the command, which imports nothing of what is missing."""
    source = (
        "import sys; sys.modules['sqlalchemy'] = None; from glasshouse_shop.commands import demo; "
        f"demo(['--data-dir', {str(tmp_path)!r}], prog_name='glasshouse demo')"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'sqlalchemy is not installed; the demo needs: pip install "glasshouse[demo]"' in done.stderr


def test_the_page_names_every_kind_of_fault() -> None:
    """docs/demo.md is the place where they are looked up."""
    page = (Path(__file__).parents[2] / "docs" / "demo.md").read_text()
    assert all(f"| `{kind}` |" in page for kind in Kind)


def test_a_second_demo_in_the_same_folder_is_refused(shop: ShopProcess) -> None:
    """It would take the files of the first away."""
    refused = CliRunner().invoke(demo, ["--data-dir", str(shop.folder), *NOWHERE])
    assert refused.exit_code == 2
    assert "a demo runs already" in refused.output
