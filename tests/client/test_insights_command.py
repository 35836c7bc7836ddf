"""`glasshouse insights`, as somebody on call types it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlled_api import controlled_api
from glasshouse.commands.insights_report import score_text
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status
from glasshouse_collector.core.times import rfc3339
from glasshouse_collector.store import Store
from migrated_store import migrated_store
from told_minutes import MINUTE, NOW, Minutes, keep_minutes

WIDTH = 100
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an open API with a project in which something broke, and one in which nothing did."""
    folder = tmp_path_factory.mktemp("insights")
    store = migrated_store(tmp_path_factory, "insights-store")
    keep_minutes(store, "default", Minutes(100, failing=6))
    keep_minutes(store, "calm", Minutes(100))
    services = Services()
    services.provide(Status, Status())
    services.provide(Metrics, Metrics())
    services.provide(MetricsPage, MetricsPage())
    services.provide(Store, store)
    with controlled_api(services, f"sqlite:///{folder}/control.db") as api:
        api.projects.create("calm")
        api.projects.create("empty")
        yield str(api.client.base_url)
    store.close()


@pytest.fixture
def run(address: str) -> Run:
    """Return what runs `glasshouse insights` as a user would."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "glasshouse"), "insights", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "GLASSHOUSE_API_URL": address},
            timeout=300,
            check=False,
        )

    return run


def ago(minutes: int) -> str:
    """Return the time so many minutes before the records end."""
    return rfc3339(NOW - minutes * MINUTE)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """Return what was printed where all went well, which fits a terminal and steers none."""
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= WIDTH
    return done.stdout


def test_it_says_what_broke(run: Run) -> None:
    """What, where, since when, why, what to do, and traces to look at."""
    shown = told(run("--since", "60m"))
    assert "CRITICAL  " in shown
    assert "1. payment POST /pay: exception" in shown
    assert "confidence " in shown
    assert "CardDeclined" in shown
    assert "no money \\x1b[31m" in shown
    assert "→ checkout checkout" in shown
    for title in ("What happened", "What to do", "Errors", "Timeline"):
        assert f"\n{title}\n" in shown
    trace = next(line for line in shown.splitlines() if line.startswith("     traces ")).split()[1]
    assert len(trace) == 32


def test_it_says_that_nothing_did(run: Run) -> None:
    """With success: that is no failure."""
    shown = told(run("--project", "calm"))
    assert "Nothing unusual was found in the last hour." in shown
    assert "1. " not in shown
    assert "Cause" not in shown
    assert shown.startswith("Last hour: ")


def test_it_says_that_there_was_no_telemetry(run: Run) -> None:
    """Rather than that all was well."""
    shown = told(run("--project", "empty", "--since", "24h"))
    assert shown.startswith("Last day: ")
    assert "There was no telemetry in the last day." in shown
    window = told(run("--project", "empty", "--start", "1h"))
    assert "There was no telemetry in this time." in window


def test_it_looks_at_one_window(run: Run) -> None:
    """Compared with what is named, or chosen."""
    shown = told(run("--start", ago(10), "--baseline-start", ago(40), "--baseline-end", ago(12)))
    assert "1. payment POST /pay: exception" in shown
    assert "What requests met with\n  gateway POST /orders: " in shown
    assert "compared with " in shown


def test_it_is_json_for_programs(run: Run) -> None:
    """The API's answer as it is."""
    done = run("--json")
    assert json.loads(done.stdout)["root_causes"][0]["service"] == "payment"
    window = json.loads(run("--start", ago(10), "--end", "now", "--service", "gateway", "--json").stdout)
    assert {cause["service"] for cause in window["root_causes"]} <= {"gateway"}


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("--since", "4m"), 2, "'4m': 5m to 24h are expected"),
        (("--since", "yesterday"), 2, "'yesterday': 5m to 24h are expected"),
        (("--end", "now"), 2, "go with --start"),
        (("--start", "1h", "--since", "1h"), 2, "--since and --deep ask about the last minutes"),
        (("--start", "1h", "--end", "2h"), 1, "end: a time after start is expected"),
        (("--start", "1h", "--baseline-start", "2h"), 1, "baseline_end: a time is expected"),
        (
            ("--start", "1h", "--service", "paiment"),
            1,
            "services: no service 'paiment' sent anything; checkout,",
        ),
        (("--start", "3d"), 1, "end: a time at most 24 hours after start is expected"),
    ],
)
def test_what_is_wrong_is_said(run: Run, arguments: tuple[str, ...], code: int, why: str) -> None:
    """In a line, with what would be right."""
    done = run(*arguments)
    assert done.returncode == code
    assert why in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("score", "shown"), [(1730.4, "1,730"), (49.237, "49"), (8.24, "8.2"), (0.251, "0.25"), (0, "0.00")]
)
def test_scores_have_no_exponent(score: float, shown: str) -> None:
    """Two or three digits say enough."""
    assert score_text(score) == shown
