"""Whether the collector lives, and whether it is ready to work. Open to everyone."""

import time
from http import HTTPStatus
from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from glasshouse_collector.codec import Codec
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.status import Status

SLOW_CODEC = (
    "the decoder in Python is in use, which is many times slower; "
    "install glasshouse-otlp-arrow (or a Rust toolchain and run make setup) for the native one"
)


class ComponentHealth(BaseModel):
    """One component's state."""

    ready: bool
    detail: str = Field(description="Why it is not ready, or what there is to know.")


class CodecHealth(BaseModel):
    """Which decoder runs."""

    name: Literal["native", "python", "none"]
    note: str | None = Field(default=None, description="What is to be known of it.")


class Health(BaseModel):
    """How the collector does."""

    status: Literal["ok", "degraded"] = Field(description="degraded: alive, but a component is not ready.")
    version: str
    uptime_seconds: float
    codec: CodecHealth
    components: dict[str, ComponentHealth]


class Readiness(BaseModel):
    """Whether every component is ready, and which are not."""

    ready: bool
    not_ready: dict[str, str] = Field(description="The components that are not, with their reason.")


class Liveness(BaseModel):
    """That the process answers."""

    status: Literal["alive"] = "alive"


def health_routes(services: Services) -> APIRouter:
    """Return `/health` (`/api/v1/health` too), `/ready` and `/live`; the uptime counts from this call."""
    routes = APIRouter(tags=["health"])
    started = time.monotonic()
    status = services.get(Status)

    @routes.get("/health", summary="How the collector does (200 whenever it answers)")
    async def health() -> Health:
        components = status.snapshot()
        return Health(
            status="ok" if status.ready else "degraded",
            version=version("glasshouse"),
            uptime_seconds=round(time.monotonic() - started, 3),
            codec=_codec(services),
            components={
                name: ComponentHealth(ready=component.ready, detail=component.detail)
                for name, component in components.items()
            },
        )

    @routes.get("/api/v1/health", summary="The same, where clients of the API look for it")
    async def api_health() -> Health:
        return await health()

    @routes.get(
        "/ready",
        summary="Whether every component is ready",
        responses={503: {"model": Readiness, "description": "A component is not ready"}},
    )
    async def ready(response: Response) -> Readiness:
        not_ready = {name: it.detail for name, it in status.snapshot().items() if not it.ready}
        if not status.ready:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Readiness(ready=status.ready, not_ready=not_ready)

    @routes.get("/live", summary="That the process answers")
    async def live() -> Liveness:
        return Liveness()

    return routes


def _codec(services: Services) -> CodecHealth:
    try:
        name = services.get(Codec).name  # type: ignore[type-abstract]  # services are found by contract
    except LookupError:
        return CodecHealth(name="none")
    return CodecHealth(name=name, note=SLOW_CODEC if name == "python" else None)
