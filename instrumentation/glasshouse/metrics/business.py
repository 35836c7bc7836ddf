"""What a business counts: active users, credits, queries, background jobs, exports, open websockets.

Attributes beside those named here may be given by mapping. Keep their values few: no user ids.
"""

from types import TracebackType
from typing import Self

from glasshouse.metrics import counter, gauge, histogram, up_down_counter
from glasshouse.metrics.instruments import During, Histogram, Timer, UpDownCounter
from glasshouse.metrics.measurements import Given, Number

_users = gauge("users.active", "{user}", "Users that are active now.")
_credits = counter("credits.consumed", "{credit}", "Credits consumed.")
_queries = counter("queries", "{query}", "Queries of users, by type and outcome.")
_websockets = up_down_counter("websocket.connections", "{connection}", "Open websocket connections.")
_job_duration = histogram("job.duration", "s", "Duration of background jobs; `error.type` where one failed.")
_jobs_active = up_down_counter("job.active", "{job}", "Background jobs that run now.")
_export_duration = histogram("export.duration", "s", "Duration of exports; `error.type` where one failed.")
_exports_active = up_down_counter("export.active", "{export}", "Exports that run now.")


def active_users(count: Number, workspace_id: str | None = None, attributes: Given = None) -> None:
    """Say how many users are active now, in one workspace or in all."""
    _users.set(count, attributes, **{"workspace.id": workspace_id})


def credits_consumed(amount: Number, workspace_id: str | None = None, attributes: Given = None) -> None:
    """Count credits that were consumed."""
    _credits.add(amount, attributes, **{"workspace.id": workspace_id})


def query(kind: str, attributes: Given = None, *, error: BaseException | None = None) -> None:
    """Count a query of a user, and what it failed with, if it did."""
    failed = type(error).__qualname__ if error is not None else None
    _queries.add(1, attributes, **{"query.type": kind, "error.type": failed})


def background_job(name: str, attributes: Given = None) -> "Work":
    """Time and count a background job, as a `with` block; what raises counts as failed."""
    return Work(_job_duration, _jobs_active, {**(attributes or {}), "job.name": name})


def export(file_format: str, attributes: Given = None) -> "Work":
    """Time and count an export, as a `with` block; what raises counts as failed."""
    return Work(_export_duration, _exports_active, {**(attributes or {}), "export.format": file_format})


def websocket(attributes: Given = None) -> During:
    """Count a websocket connection as open as long as the `with` block runs."""
    return _websockets.during(attributes)


class Work:
    """Times a block, and counts it as active while it runs."""

    def __init__(self, duration: Histogram, active: UpDownCounter, about: dict[str, object]) -> None:
        self._timer, self._during = Timer(duration, about), active.during(about)

    def __enter__(self) -> Self:
        self._during.__enter__()
        self._timer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.__exit__(kind, raised, traceback)
        self._during.__exit__()
