"""A short round of the outage in `make chaos`: the collector is killed, then the application too."""

from pathlib import Path

import application_outage


def test_a_killed_collector_costs_an_application_nothing(tmp_path: Path) -> None:
    """Every request is answered meanwhile, and its span and log record are in the store afterwards."""
    outcome = application_outage.collector_away(tmp_path, seconds=1)
    assert outcome.spooled > 0
    assert (outcome.failed, outcome.lost) == (0, 0)


def test_an_application_killed_meanwhile_loses_nothing_that_was_spooled(tmp_path: Path) -> None:
    """Its next start delivers what it had on disk."""
    outcome = application_outage.both_killed(tmp_path, seconds=1)
    assert outcome.spooled > 0
    assert (outcome.failed, outcome.lost) == (0, 0)
