"""The job in a whole collector: on by default, off where the user says so, gone when it stops."""

from pathlib import Path

import httpx

from collector_process import CollectorProcess, until


def metric(collector: CollectorProcess, name: str) -> float:
    """Return the value of a metric without labels."""
    page = httpx.get(f"http://{collector.endpoints()['api']}/metrics", timeout=60).text
    (value,) = (line.split()[1] for line in page.splitlines() if line.startswith(f"{name} "))
    return float(value)


def test_it_runs_by_default_and_ends_with_the_collector(tmp_path: Path) -> None:
    """A round of it succeeds, and the next collector on the folder leads at once."""
    for _ in range(2):
        collector = CollectorProcess(tmp_path / "data")
        try:
            until(
                lambda running=collector: metric(running, "glasshouse_insights_leader") == 1,  # type: ignore[misc]
                "the collector does the job",
            )
            until(
                lambda running=collector: (  # type: ignore[misc]
                    metric(running, "glasshouse_insights_last_round_timestamp_seconds") > 0
                ),
                "a round has ended",
            )
        finally:
            assert collector.stop() == 0
        assert "insights:" not in collector.log()


def test_one_that_was_killed_leads_again_at_once(tmp_path: Path) -> None:
    """Its lease would last for two hours."""
    seldom = {"GLASSHOUSE_EXTENSIONS__INSIGHTS__INTERVAL_SECONDS": "3600"}
    for end in (CollectorProcess.kill, CollectorProcess.stop):
        collector = CollectorProcess(tmp_path / "data", env=seldom)
        try:
            until(
                lambda running=collector: metric(running, "glasshouse_insights_leader") == 1,  # type: ignore[misc]
                "the collector does the job",
            )
        finally:
            end(collector)


def test_it_is_off_where_the_user_says_so(tmp_path: Path) -> None:
    """And the collector is the same otherwise."""
    off = {"GLASSHOUSE_EXTENSIONS__INSIGHTS__ENABLED": "false"}
    collector = CollectorProcess(tmp_path / "data", env=off)
    try:
        assert metric(collector, "glasshouse_insights_leader") == 0
        page = httpx.get(f"http://{collector.endpoints()['api']}/metrics", timeout=60).text
        assert "glasshouse_insights_seconds_count{" not in page
    finally:
        assert collector.stop() == 0
