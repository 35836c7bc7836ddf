"""Heartbeats, once and in a loop, in forked children too."""

import logging
import os
import threading

import pytest

from collector_process import until
from glasshouse.heartbeat import heartbeat, install, start_heartbeat_loop, stop_heartbeat_loop
from glasshouse.settings import Settings
from memory_telemetry import MemoryTelemetry, attributes


def beats(telemetry: MemoryTelemetry) -> int:
    """Return how many heartbeats were emitted."""
    return len([record for record in telemetry.records() if record.event_name == "glasshouse.heartbeat"])


def threads() -> list[threading.Thread]:
    """Return the heartbeat threads that run."""
    return [thread for thread in threading.enumerate() if thread.name == "glasshouse-heartbeat"]


def test_a_heartbeat_is_an_event_and_a_count_whatever_the_log_level(telemetry: MemoryTelemetry) -> None:
    """The level of `logging` does not hold it back."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        heartbeat(region="eu")
        heartbeat()
    finally:
        logging.getLogger().setLevel(level)
    first, _ = telemetry.records()
    assert first.event_name == "glasshouse.heartbeat"
    assert attributes(first) == {"region": "eu", "process.pid": os.getpid()}
    assert telemetry.counters() == {"glasshouse.heartbeats": 2}


def test_a_loop_beats_until_it_is_ended(telemetry: MemoryTelemetry) -> None:
    """It begins at once; a second one takes the place of the first."""
    start_heartbeat_loop(3600)
    end = start_heartbeat_loop(interval=0.01)
    until(lambda: beats(telemetry) >= 4, "four heartbeats are there")
    assert end is not None
    end()
    until(lambda: not threads(), "no loop runs any more")
    assert 0.01 in {attributes(record).get("glasshouse.heartbeat.interval") for record in telemetry.records()}


def test_the_setting_starts_a_loop_that_its_undoing_ends(telemetry: MemoryTelemetry) -> None:
    """Undoing ends no loop that was started since."""
    undo = install(Settings(heartbeat_seconds=3600))
    until(lambda: beats(telemetry) == 1, "the first heartbeat is there")
    start_heartbeat_loop(3600)
    undo()
    until(lambda: len(threads()) == 1, "the second loop alone runs")
    stop_heartbeat_loop()
    until(lambda: not threads(), "no loop runs any more")


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf")])
def test_an_interval_has_to_be_above_zero(interval: float) -> None:
    """It is refused, in production only in the log."""
    with pytest.raises(ValueError, match="interval: should be seconds above 0"):
        start_heartbeat_loop(interval)


def test_a_forked_child_beats_by_itself(telemetry: MemoryTelemetry) -> None:
    """As a worker of gunicorn does: threads stay in the parent."""
    end = start_heartbeat_loop(0.01)
    until(lambda: beats(telemetry) >= 1, "the parent beats")
    child = os.fork()
    if child == 0:
        telemetry.emitted.clear()
        until(lambda: beats(telemetry) >= 2, "the child beats")
        pids = {attributes(record)["process.pid"] for record in telemetry.records()}
        os._exit(0 if pids == {os.getpid()} else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert end is not None
    end()
    until(lambda: not threads(), "no loop runs any more")
