"""The collector's own metrics, for Prometheus to scrape. Open to everyone who can reach the port."""

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client.exposition import choose_encoder

from glasshouse_collector.core.components import Services
from glasshouse_collector.core.metrics import Metrics


def metrics_routes(services: Services) -> APIRouter:
    """Return `/metrics`."""
    routes = APIRouter(tags=["metrics"])
    registry = services.get(Metrics).registry

    @routes.get(
        "/metrics",
        summary="The collector's own metrics, in Prometheus text or OpenMetrics by the Accept header",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}},
    )
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(await run_in_threadpool(encode, registry), headers={"Content-Type": content_type})

    return routes
