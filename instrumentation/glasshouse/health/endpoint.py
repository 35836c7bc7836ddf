"""What is answered at /health, /health/detailed, /ready and /live, whatever the framework."""

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from glasshouse.health.registry import Health, Report

PATHS = ("/health", "/health/detailed", "/ready", "/live")

HEADERS: Mapping[str, str] = {"content-type": "application/json", "cache-control": "no-store"}


class Answer(NamedTuple):
    """An HTTP answer: 200 where it is healthy or degraded, 503 where it is unhealthy."""

    status: int
    body: bytes
    headers: Mapping[str, str] = HEADERS


def answer(health: Health, path: str) -> Answer:
    """Answer one of `PATHS`; for threads that may wait."""
    if path not in _REPORTED:
        return _alive(health)
    only_critical, shown = _REPORTED[path]
    return _reported(health, health.report(only_critical=only_critical), shown)


async def answer_async(health: Health, path: str) -> Answer:
    """Answer one of `PATHS`, from the loop of the application."""
    if path not in _REPORTED:
        return _alive(health)
    only_critical, shown = _REPORTED[path]
    return _reported(health, await health.report_async(only_critical=only_critical), shown)


def _alive(health: Health) -> Answer:
    # Whoever can answer is alive: no dependency is asked, so that its failure restarts nothing.
    return Answer(200, json.dumps({"status": "healthy", **health.service()}).encode())


def _reported(health: Health, report: Report, shown: Callable[[Report], object]) -> Answer:
    body = {"status": report.status, **health.service(), "checks": shown(report)}
    return Answer(503 if report.status == "unhealthy" else 200, json.dumps(body).encode())


def _statuses(report: Report) -> object:
    return {name: outcome.status for name, outcome in report.outcomes.items()}


def _details(report: Report) -> object:
    return {
        name: {
            "status": outcome.status,
            "critical": name in report.critical,
            "duration_seconds": round(outcome.duration_seconds, 6),
            **({"detail": outcome.detail} if outcome.detail else {}),
        }
        for name, outcome in report.outcomes.items()
    }


_REPORTED: Mapping[str, tuple[bool, Callable[[Report], object]]] = {
    "/health/detailed": (False, _details),
    "/ready": (True, _statuses),
}
