"""A short round of `make chaos`."""

from pathlib import Path

import pytest

from chaos import run


@pytest.mark.timeout(420)
@pytest.mark.parametrize("store", ["embedded", "http"])
def test_every_acknowledged_record_is_kept_exactly_once_through_kills(store: str, tmp_path: Path) -> None:
    """Killed again and again under load, with many partitions, the collector loses and doubles nothing."""
    outcome = run(tmp_path, kills=6, store=store, seed=7)
    assert outcome.acknowledged > 0
    assert (outcome.lost, outcome.doubled, outcome.torn) == (0, 0, 0)
