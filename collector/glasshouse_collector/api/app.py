"""The API: health, metrics, and questions about what was stored."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import iter_route_contexts
from fastapi_offline import FastAPIOffline

from glasshouse_collector.api.access import require, require_reader
from glasshouse_collector.api.config import ApiConfig
from glasshouse_collector.api.event_stream import OpenStreams
from glasshouse_collector.api.ingest.taking import MOST_BYTES as INGEST_BYTES
from glasshouse_collector.api.middleware import BodyLimit, Observed
from glasshouse_collector.api.problems import answers, handle_problems
from glasshouse_collector.api.questions import PREFIX, Questions
from glasshouse_collector.api.routes.attributes import attribute_routes
from glasshouse_collector.api.routes.errors import error_routes
from glasshouse_collector.api.routes.health import health_routes
from glasshouse_collector.api.routes.incidents import incident_routes
from glasshouse_collector.api.routes.ingest import ingest_routes
from glasshouse_collector.api.routes.insight_feedback import feedback_routes
from glasshouse_collector.api.routes.insights import insight_routes
from glasshouse_collector.api.routes.keys import key_routes
from glasshouse_collector.api.routes.log_patterns import log_pattern_routes
from glasshouse_collector.api.routes.log_tail import log_tail_routes
from glasshouse_collector.api.routes.logs import log_routes
from glasshouse_collector.api.routes.metric_queries import metric_query_routes
from glasshouse_collector.api.routes.metrics import metrics_routes
from glasshouse_collector.api.routes.projects import project_routes
from glasshouse_collector.api.routes.services import service_routes
from glasshouse_collector.api.routes.sql import sql_routes
from glasshouse_collector.api.routes.trace_explain import trace_explain_routes
from glasshouse_collector.api.routes.traces import trace_routes
from glasshouse_collector.core.access import Scope
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.metrics import Metrics

_DESCRIPTION = """
Ask the collector how it does, and what it keeps. Everything under `/api/v1` needs a key of the scope
`read`, once there are keys, and answers of the key's own project alone. Every error is a problem as
RFC 9457 has it (`application/problem+json`), with one line in `detail` that says what was wrong.
"""
_OF_A_PROJECT = {"responses": answers(HTTPStatus.NOT_FOUND)}  # one that is named, and not there


def create_app(
    services: Services, config: ApiConfig | None = None, *, extensions_routes: Iterable[APIRouter] = ()
) -> FastAPI:
    """Return the application.

    `services` offers `Status`, `Metrics` and `Authenticator` now, and at the latest when a request
    needs them `Codec` and `Store`; a question without a store is answered with 503.
    """
    config = config or ApiConfig()
    app = FastAPIOffline(
        redoc_url=None,
        static_url="/docs-files",  # the pages load nothing from elsewhere
        title="Glasshouse",
        version=version("glasshouse"),
        description=_DESCRIPTION,
        generate_unique_id_function=lambda route: route.name,  # what clients call the operation
        # The collector's self-observation instruments the app, with providers of its own.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    handle_problems(app)
    larger = {f"{PREFIX}/logs": INGEST_BYTES, f"{PREFIX}/ingest": INGEST_BYTES}
    app.add_middleware(BodyLimit, limit=config.max_body_bytes, seconds=config.body_seconds, larger=larger)
    app.add_middleware(Observed, metrics=services.get(Metrics))
    app.include_router(health_routes(services))
    app.include_router(metrics_routes(services))
    app.state.streams = OpenStreams()
    _include(app, _questions(services, config, app.state.streams), require_reader(services), **_OF_A_PROJECT)
    _include(app, (project_routes(services), key_routes(services)), require(services, Scope.ADMIN))
    _include(app, (ingest_routes(services),), require(services, Scope.INGEST))
    for routes in extensions_routes:
        app.include_router(routes)
    for _ in iter_route_contexts(app.routes):
        continue  # put together here, in one thread, and not by the first requests
    return app


def _include(app: FastAPI, routers: Iterable[APIRouter], admit: Callable[..., Any], **more: Any) -> None:
    """Serve what only those may use whom `admit` lets in.

    Each router goes into the application itself: FastAPI makes a route anew at each level that it is under.
    """
    for routes in routers:
        app.include_router(routes, prefix=PREFIX, dependencies=[Depends(admit)], **more)


def _questions(services: Services, config: ApiConfig, streams: OpenStreams) -> Iterable[APIRouter]:
    """Return what reads the store, for those with a key to read, each of its own project."""
    questions = Questions(services, config)
    return (
        trace_routes(questions),
        trace_explain_routes(questions),
        log_routes(questions),
        log_pattern_routes(questions),
        log_tail_routes(questions, services, streams),
        metric_query_routes(questions),
        service_routes(questions),
        attribute_routes(questions),
        error_routes(questions),
        sql_routes(questions),
        insight_routes(questions, services),
        incident_routes(services),
        feedback_routes(services),
    )
