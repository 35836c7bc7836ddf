"""Clients: each request is a span, and the server is told of it; what is secret in an address is not kept."""

from collections.abc import Callable

import pytest

from sent_telemetry import Sent

BEGINNING = """
import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.headers["traceparent"] else 400)
        self.send_header("X-Traceparent", self.headers["traceparent"] or "")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
URL = f"http://user:hunter2@127.0.0.1:{server.server_port}/items?q=1"
AWAY = "http://127.0.0.1:9/"
"""

PROGRAMS = {
    "requests": """
import requests

print(requests.get(URL).headers["X-Traceparent"])
try:
    requests.get(AWAY)
except requests.ConnectionError:
    pass
""",
    "httpx": """
import httpx

print(httpx.get(URL).headers["X-Traceparent"])
try:
    httpx.get(AWAY)
except httpx.ConnectError:
    pass
""",
    "httpx.AsyncClient": """
import httpx

async def main():
    async with httpx.AsyncClient() as client:
        print((await client.get(URL)).headers["X-Traceparent"])
        try:
            await client.get(AWAY)
        except httpx.ConnectError:
            pass

asyncio.run(main())
""",
    "aiohttp": """
import aiohttp

async def main():
    async with aiohttp.ClientSession() as session:
        async with session.get(URL) as answer:
            print(answer.headers["X-Traceparent"])
        try:
            await session.get(AWAY)
        except aiohttp.ClientConnectorError:
            pass

asyncio.run(main())
""",
}


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_request_is_a_span(client: str, run: Callable[..., Sent]) -> None:
    """With method, address and status by the stable conventions; one that cannot connect says so."""
    sent = run(BEGINNING + PROGRAMS[client])
    good, away = sent.spans("CLIENT")
    assert len(sent.spans()) == 2
    for span in (good, away):
        assert span.name == "GET"
        assert span.attributes["http.request.method"] == "GET"
        assert span.attributes["server.address"] == "127.0.0.1"
    assert good.attributes["http.response.status_code"] == 200
    port = good.attributes["server.port"]
    assert good.attributes["url.full"].endswith(f"127.0.0.1:{port}/items?q=1")
    assert "hunter2" not in good.attributes["url.full"]
    assert not good.failed
    assert away.failed
    assert away.attributes["error.type"].endswith(("ConnectionError", "ConnectError", "ConnectorError"))
