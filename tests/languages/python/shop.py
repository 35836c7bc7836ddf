"""A shop that knows nothing of OpenTelemetry: it serves one order, to itself, and ends."""

import logging
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer


class Orders(BaseHTTPRequestHandler):
    """Accepts every order."""

    def do_GET(self) -> None:
        """Answer that nothing more is to be said."""
        self.send_response(204)
        self.end_headers()


logging.basicConfig(level=logging.INFO)
with HTTPServer(("127.0.0.1", 0), Orders) as server:
    threading.Thread(target=server.handle_request).start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/orders") as answer:
        logging.getLogger("shop").info("an order was answered with %d", answer.status)
