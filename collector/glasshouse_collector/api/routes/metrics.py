"""The collector's metrics, and those of what it takes in, for Prometheus to scrape."""

from collections.abc import Callable

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from glasshouse_collector.api.access import require_operator
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics

_END = b"# EOF\n"


def metrics_routes(services: Services) -> APIRouter:
    """Return `/metrics`, for the operator: its labels are made of what every project sends."""
    routes = APIRouter(tags=["metrics"], dependencies=[Depends(require_operator(services))])
    registry, page = services.get(Metrics).registry, services.get(MetricsPage)

    @routes.get(
        "/metrics",
        summary="Metrics of the collector and of applications, in Prometheus text or OpenMetrics by Accept",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}},
    )
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        content = await run_in_threadpool(_render, encode, content_type, registry, page)
        return Response(content, headers={"Content-Type": content_type})

    return routes


def _render(
    encode: Callable[[CollectorRegistry], bytes],
    content_type: str,
    registry: CollectorRegistry,
    page: MetricsPage,
) -> bytes:
    """Return both on one page; of OpenMetrics the last line must be its end."""
    own = encode(registry)
    if content_type.startswith("application/openmetrics-text"):
        return own.removesuffix(_END) + page.render(openmetrics=True) + _END
    return own + page.render(openmetrics=False)
