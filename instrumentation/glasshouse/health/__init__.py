"""Health of an application: checks by name, and endpoints for FastAPI, Flask, Django, ASGI and WSGI.

The endpoints are in the modules of the same names: `fastapi`, `flask`, `django`, `asgi`, `wsgi`.
"""

from glasshouse.health.check import Call
from glasshouse.health.dependencies import celery, http, redis, sqlalchemy
from glasshouse.health.outcome import Degraded, Outcome, Status, Unhealthy
from glasshouse.health.registry import Health, Report, default

__all__ = [
    "Call",
    "Degraded",
    "Health",
    "Outcome",
    "Report",
    "Status",
    "Unhealthy",
    "celery",
    "default",
    "http",
    "redis",
    "register",
    "report",
    "report_async",
    "sqlalchemy",
    "unregister",
]

register = default.register
unregister = default.unregister
report = default.report
report_async = default.report_async
