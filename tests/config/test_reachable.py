"""Which addresses other machines reach, and whether by TLS alone."""

from pathlib import Path

import pytest

from glasshouse_collector.config import load


def reachable(folder: Path, text: str) -> list[tuple[str, bool]]:
    """Return the addresses of these settings that other machines reach."""
    (folder / "glasshouse.yaml").write_text(text)
    return load(folder / "glasshouse.yaml", {}).reachable_hosts


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST"])
def test_only_the_machine_itself_reaches_loopback(host: str, tmp_path: Path) -> None:
    """By any of its names."""
    assert reachable(tmp_path, f"host: '{host}'") == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "localhost.example.com"])
def test_others_reach_any_other_address(host: str, tmp_path: Path) -> None:
    """The API and both receivers listen there."""
    assert reachable(tmp_path, f"host: '{host}'") == [(host, False)] * 3


def test_a_receivers_own_address_counts(tmp_path: Path) -> None:
    """Whatever the others listen on."""
    text = "receivers: {otlp_grpc: {host: 192.0.2.1}, otlp_http: {}}"
    assert reachable(tmp_path, text) == [("192.0.2.1", False)]
    text = "host: 0.0.0.0\nreceivers: {otlp_grpc: {host: 127.0.0.1}, otlp_http: {host: localhost}}"
    assert reachable(tmp_path, text) == [("0.0.0.0", False)]
