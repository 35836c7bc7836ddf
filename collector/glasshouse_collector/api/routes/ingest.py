"""Doors for clients of older systems: their JSON in, log records as any other's."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Request

from glasshouse_collector.api.ingest.model import (
    PROJECT_MONITOR_EXAMPLE,
    PROJECT_MONITOR_ITEM,
    TRACEHUB_EXAMPLE,
    TRACEHUB_ITEM,
    IngestAnswer,
    body_of,
)
from glasshouse_collector.api.ingest.once import MOST_KEY
from glasshouse_collector.api.ingest.taking import Format, Ingesting
from glasshouse_collector.api.problems import PROBLEMS, answers
from glasshouse_collector.core.components import Services
from glasshouse_collector.ingest import project_monitor, tracehub

PROJECT_MONITOR = Format(project_monitor, "project-monitor-sdk", "api_logs", HTTPStatus.TOO_MANY_REQUESTS)
# tracehub-logger sends again after a 5xx, but gives a request up at once for any 4xx.
TRACEHUB = Format(tracehub, "tracehub-logger", "api_ingest", HTTPStatus.SERVICE_UNAVAILABLE)

_ANSWERS = answers(
    *PROBLEMS,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
_Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        description="Names the request: sent again within a day, with the same body, it gets the same "
        f"answer and is kept once. Up to {MOST_KEY} characters, of the sender's choosing.",
        examples=["5f3e0b1c-batch-17"],
    ),
]


def ingest_routes(services: Services) -> APIRouter:
    """Return `POST /logs` and `POST /ingest`; whoever sends has been admitted with the scope `ingest`."""
    routes = APIRouter(tags=["older clients"])
    ingesting = Ingesting(services)

    @routes.post(
        "/logs",
        summary="Send log items as project-monitor-sdk does",
        status_code=HTTPStatus.ACCEPTED,
        responses=_ANSWERS,
        openapi_extra=body_of(PROJECT_MONITOR_ITEM, PROJECT_MONITOR_EXAMPLE, listed=False),
    )
    async def send_logs(request: Request, idempotency_key: _Key = "") -> IngestAnswer:
        """Keep up to 1,000 log items, gzip or not, of up to 8 MiB.

        An item with a mistake is named in `errors`, and the others are kept; where none can be, it is a
        422 with the same list. An `Idempotency-Key` that came with another body before is a 422 too.
        """
        del idempotency_key
        return await ingesting.take(request, PROJECT_MONITOR)

    @routes.post(
        "/ingest",
        summary="Send log items as tracehub-logger does",
        status_code=HTTPStatus.ACCEPTED,
        responses=_ANSWERS,
        openapi_extra=body_of(TRACEHUB_ITEM, TRACEHUB_EXAMPLE, listed=True),
    )
    async def send_tracehub_logs(request: Request, idempotency_key: _Key = "") -> IngestAnswer:
        """Keep up to 1,000 log items, gzip or not, of up to 8 MiB; a file of dead letters as JSON lines too.

        Mistakes are told as at `POST /api/v1/logs`. A sender over its key's limits gets a 503, because
        that is what this client sends again after.
        """
        del idempotency_key
        return await ingesting.take(request, TRACEHUB)

    return routes
