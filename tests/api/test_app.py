"""Health, metrics, and how the API behaves towards any request."""

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import APIRouter

from glasshouse_collector.api import ApiConfig, ApiServer, create_app
from glasshouse_collector.codec import Codec
from glasshouse_collector.codec.upb import UpbCodec
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status

Serve = Callable[..., httpx.Client]


def test_health_answers_while_alive_and_tells_all(services: Services, serve: Serve) -> None:
    """/health is 200 whatever is not ready, with version, codec, uptime and every component."""
    services.provide(Codec, UpbCodec())  # type: ignore[type-abstract]
    status = services.get(Status)
    status.set("store", ready=False, detail="connection refused")
    status.set("otlp_grpc", ready=True)
    client = serve(create_app(services))
    body = client.get("/health")
    assert body.status_code == 200
    health = body.json()
    assert health["status"] == "degraded"
    assert health["version"]
    assert health["uptime_seconds"] > 0
    assert health["codec"]["name"] == "python"
    assert "slower" in health["codec"]["note"]
    assert health["components"] == {
        "otlp_grpc": {"ready": True, "detail": ""},
        "store": {"ready": False, "detail": "connection refused"},
    }
    status.set("store", ready=True)
    assert client.get("/health").json()["status"] == "ok"


def test_ready_names_what_is_not(services: Services, serve: Serve) -> None:
    """/ready is 503 until every component is ready, and 200 then."""
    client = serve(create_app(services))
    assert client.get("/ready").status_code == 503
    status = services.get(Status)
    status.set("store", ready=False, detail="migrating")
    waiting = client.get("/ready")
    assert waiting.status_code == 503
    assert waiting.json() == {"ready": False, "not_ready": {"store": "migrating"}}
    status.set("store", ready=True)
    ready = client.get("/ready")
    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "not_ready": {}}
    assert client.get("/live").json() == {"status": "alive"}


def test_metrics_in_both_formats(services: Services, serve: Serve) -> None:
    """Prometheus text by default, OpenMetrics to those who accept it."""
    services.get(Metrics).journal_bytes.set(42)
    client = serve(create_app(services))
    plain = client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "glasshouse_journal_bytes 42.0" in plain.text
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    opened = client.get("/metrics", headers=accept)
    assert opened.headers["content-type"].startswith("application/openmetrics-text")
    assert opened.text.endswith("# EOF\n")


def test_requests_are_counted_by_route_never_by_path(services: Services, serve: Serve) -> None:
    """Unknown paths share one label, whatever they are."""
    client = serve(create_app(services))
    for path in ("/a", "/b", "/live"):
        client.get(path)
    text = client.get("/metrics").text
    assert 'glasshouse_api_requests_total{method="GET",route="unknown",status="404"} 2.0' in text
    assert 'glasshouse_api_requests_total{method="GET",route="/live",status="200"} 1.0' in text


def test_an_unexpected_error_is_a_problem_with_an_id(
    services: Services, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets an id and nothing else; the log has the id and the traceback."""
    routes = APIRouter()
    outer = APIRouter(prefix="/outer")

    @routes.get("/broken/{key}")
    async def broken(key: str) -> str:
        raise ValueError(f"secret {key}")

    outer.include_router(routes)
    client = serve(create_app(services, extensions_routes=[outer]))
    with caplog.at_level(logging.ERROR, "glasshouse_collector.api"):
        answer = client.get("/outer/broken/door")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    [record] = [it for it in caplog.records if it.name.startswith("glasshouse_collector.api")]
    assert answer.json()["id"] in record.getMessage()
    assert record.exc_info
    counted = 'glasshouse_api_requests_total{method="GET",route="/outer/broken/{key}",status="500"} 1.0'
    assert counted in client.get("/metrics").text


def test_unknown_paths_and_methods_are_problems(services: Services, serve: Serve) -> None:
    """404 and 405 are problems too."""
    client = serve(create_app(services))
    for method, path, status in (("GET", "/nowhere", 404), ("POST", "/health", 405)):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


def test_what_a_path_takes_is_told(services: Services, serve: Serve) -> None:
    """All of its methods, though each is a route of its own: in the header, and in words."""
    client = serve(create_app(services))
    answer = client.put("/api/v1/projects/shop")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")
    assert answer.json()["detail"] == "/api/v1/projects/shop takes DELETE, GET, not PUT"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_large_body_is_refused_while_it_is_read(services: Services, serve: Serve, streamed: bool) -> None:
    """Over a mebibyte is 413, whether the length was declared or not."""

    def chunks() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * 65536

    client = serve(create_app(services))
    content = chunks() if streamed else b" " * (17 * 65536)
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/v1/sql", content=content, headers=headers)
    assert answer.status_code == 413
    assert "1,048,576 bytes" in answer.json()["detail"]


def test_a_body_that_is_no_json_object_is_told_so(services: Services, serve: Serve) -> None:
    """A stranger with curl learns what to send, and how to say what it is."""
    client = serve(create_app(services))
    broken = client.post("/api/v1/sql", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.json()["detail"].startswith("the body is no JSON: ")
    form = client.post("/api/v1/sql", content=b"a=1", headers={"Content-Type": "text/plain"})
    assert "Content-Type: application/json" in form.json()["detail"]


def test_the_pages_of_the_documentation_load_nothing_from_elsewhere(services: Services, serve: Serve) -> None:
    """A machine without a way out shows them: all that they load is the collector's own."""
    client = serve(create_app(services))
    page = client.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) >= 3
    for address in loaded:
        assert address.startswith("/docs-files/")
        assert client.get(address).status_code == 200
    assert client.get("/docs-files/..%2f__init__.py").status_code == 404


def test_every_operation_is_documented(services: Services, serve: Serve) -> None:
    """The OpenAPI document is served, and no operation of it lacks a summary or an answer's shape."""
    document = serve(create_app(services)).get("/openapi.json").json()
    assert {"/health", "/ready", "/live", "/metrics", "/api/v1/sql"} <= set(document["paths"])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path

    assert document["paths"]["/api/v1/sql"]["post"]["security"]


def test_a_taken_port_names_the_setting(services: Services) -> None:
    """The second to want a port is told which setting to change."""

    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = ApiServer(create_app(services), ApiConfig(port=port))
            with pytest.raises(ConfigurationError, match=f"port: {port} is taken on 127.0.0.1"):
                await server.start()
            await server.stop()

    asyncio.run(scenario())


def test_a_host_that_is_not_ours_names_the_setting(services: Services) -> None:
    """An address of another machine cannot be listened on."""

    async def scenario() -> None:
        server = ApiServer(create_app(services), ApiConfig(host="192.0.2.1", port=0))
        with pytest.raises(ConfigurationError, match=r"host: '192\.0\.2\.1' is no address of this machine"):
            await server.start()

    asyncio.run(scenario())


def test_start_and_stop_may_be_repeated(services: Services) -> None:
    """A server stops without start and twice, and can start again on the same port."""

    async def scenario() -> None:
        app = create_app(services)
        await ApiServer(app, ApiConfig(port=0)).stop()
        first = ApiServer(app, ApiConfig(port=0))
        await first.start()
        port = first.bound_port
        await first.stop()
        await first.stop()
        second = ApiServer(app, ApiConfig(port=port))
        await second.start()
        assert second.bound_port == port
        await second.stop()

    asyncio.run(scenario())
