"""An endpoint that can misbehave, a spool of the test's own, and what hands batches over."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glasshouse import delivery
from glasshouse.settings import load
from scripted_endpoint import Endpoint, endpoint


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away the variables of the developer's shell, and keep off the spool at home."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in list(os.environ):
        if name.startswith(("OTEL_", "GLASSHOUSE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def listening() -> Iterator[Endpoint]:
    """Listen on any port."""
    with endpoint() as serving:
        yield serving


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    """Where batches wait."""
    return tmp_path / "spool"


@pytest.fixture
def install(listening: Endpoint, spool_dir: Path) -> Iterator[Callable[..., Callable[[], None]]]:
    """Install delivery with these settings changed; it is undone with the test."""
    undos: list[Callable[[], None]] = []

    def with_settings(**changed: Any) -> Callable[[], None]:
        settings = {
            "service_name": "shop",
            "endpoint": listening.url,
            "spool_dir": spool_dir,
            "shutdown_seconds": 1.0,
        }
        undo = delivery.install(load(settings | changed))
        undos.append(undo)
        return undo

    yield with_settings
    listening.ended.set()
    for undo in undos:
        undo()


@pytest.fixture
def export(listening: Endpoint) -> Callable[..., None]:
    """Hand a body over as an exporter does."""

    def post(body: bytes, signal: delivery.Signal = "logs", timeout: float = 1.0, **headers: str) -> None:
        with delivery.session(signal) as session:
            session.post(
                f"{listening.url}/v1/{signal}",
                data=body,
                headers={"content-type": "application/x-protobuf", **headers},
                timeout=timeout,
            ).raise_for_status()

    return post
