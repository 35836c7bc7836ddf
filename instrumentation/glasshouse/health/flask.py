"""Health endpoints for Flask: `app.register_blueprint(blueprint())`."""

from collections.abc import Callable

from glasshouse.health.endpoint import PATHS, answer
from glasshouse.health.registry import Health, default

try:
    from flask import Blueprint, Response
except ImportError as missing:
    raise ImportError("glasshouse.health.flask is for applications that have Flask") from missing


def blueprint(health: Health = default) -> Blueprint:
    """Return the endpoints. Asynchronous checks run in a loop beside the application."""
    routes = Blueprint("glasshouse_health", __name__)
    for path in PATHS:
        routes.add_url_rule(path, path.strip("/").replace("/", "_"), _endpoint(health, path), methods=["GET"])
    return routes


def _endpoint(health: Health, path: str) -> Callable[[], Response]:
    def endpoint() -> Response:
        found = answer(health, path)
        return Response(found.body, found.status, dict(found.headers))

    return endpoint
