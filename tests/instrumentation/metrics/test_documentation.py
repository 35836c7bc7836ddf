"""docs/sdk-metrics-health.md is held to the code."""

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine

import glasshouse
from glasshouse import health, metrics
from glasshouse.metrics import business, cache, database, http, prometheus

PAGE = Path(__file__).parents[3] / "docs" / "sdk-metrics-health.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
TABLE = re.search(r"\| was \|.*\n\|-.*\n((?:\|.*\n)+)", PAGE.read_text())


PUBLIC = {
    "glasshouse.metrics": [*(set(metrics.__all__) - {"install"})],
    "glasshouse.health": [*(set(health.__all__) - {"default"})],
    "glasshouse.metrics.endpoint": ["asgi_app", "fastapi_router", "flask_blueprint", "django_urls"],
    "glasshouse.metrics.prometheus": ["serve", "expose"],
    "glasshouse.metrics.database": ["watch_engine"],
    "glasshouse.metrics.cache": ["Cache"],
    "glasshouse.metrics.http": ["ServerRequest"],
    "glasshouse.metrics.business": [
        "active_users", "background_job", "credits_consumed", "export", "query", "websocket",
    ],
}  # fmt: skip
# What functions return or take; whoever uses those meets them.
TYPES = {"Call", "Counter", "Gauge", "Histogram", "Outcome", "Report", "Status", "Timer", "UpDownCounter"}


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_has_an_example(module: str) -> None:
    """Functions and classes that are called stand in an example."""
    for name in set(PUBLIC[module]) - TYPES:
        assert hasattr(importlib.import_module(module), name)
        assert re.search(rf"\b{name}\b", "".join(EXAMPLES)), name


def test_the_names_at_metrics_are_those_documented(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each name in the page's table is one that a scrape has, with everything used once."""
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")
    monkeypatch.setenv("GLASSHOUSE_SPOOL_DIR", str(tmp_path))
    glasshouse.configure("shop", prometheus=True, instrument=False, log_format="off", excepthook=False)
    monkeypatch.setattr(metrics.process, "_SHORTEST_SECONDS", 0.0)
    with _everything_used_once(tmp_path):
        text = prometheus.expose().body.decode()
    assert TABLE is not None
    cells = [row.split("|")[3] for row in TABLE[1].splitlines()]
    named = [name for cell in cells for name in re.findall(r"`([a-z]\w+)`", cell)]
    assert len(named) > 20
    for name in named:
        assert re.search(rf"^{name}(_bucket)?\{{", text, re.MULTILINE), name


@contextmanager
def _everything_used_once(folder: Path) -> Iterator[None]:
    engine = create_engine(f"sqlite:///{folder / 'shop.db'}")
    undos = [database.watch_engine(engine)]
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    sessions = cache.Cache("sessions")
    undos.append(sessions.watch(size_bytes=lambda: 1, items=lambda: 1))
    with sessions.time("get"):
        sessions.hit()
    business.active_users(1)
    business.credits_consumed(1)
    business.query("funnel")
    with business.background_job("mail"), business.export("csv"), business.websocket():
        pass
    with http.ServerRequest("GET"):
        pass
    yield
    for undo in undos:
        undo()
    engine.dispose()
