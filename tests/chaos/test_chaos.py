"""A short round of `make chaos`."""

from pathlib import Path

import pytest

import chaos
import outage


@pytest.mark.timeout(420)
@pytest.mark.parametrize("store", ["embedded", "http"])
def test_every_acknowledged_record_is_kept_exactly_once_through_kills(store: str, tmp_path: Path) -> None:
    """Killed again and again under load, with many partitions, the collector loses and doubles nothing."""
    outcome = chaos.run(tmp_path, kills=6, store=store, seed=7)
    assert outcome.acknowledged > 0
    assert (outcome.lost, outcome.doubled, outcome.torn) == (0, 0, 0)
    assert outcome.miscounted == {}


@pytest.mark.timeout(300)
def test_an_outage_of_the_store_loses_nothing_and_fills_no_memory(tmp_path: Path) -> None:
    """The journal takes what comes meanwhile; the process does not grow with it.

    It grows once by a run that is formed for the exporter that goes on alone; what comes meanwhile is more.
    """
    result = outage.run(tmp_path, seconds=14)
    assert result.outcome.acknowledged > 0
    assert (result.outcome.lost, result.outcome.doubled, result.outcome.torn) == (0, 0, 0)
    assert result.outcome.miscounted == {}
    assert result.late_mib < result.early_mib + 300
