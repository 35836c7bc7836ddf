"""The requests session that the OTLP exporters get: it hands their requests to the outbox."""

import time
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

import requests
from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar

from glasshouse.delivery.batch import Batch, Signal
from glasshouse.delivery.destinations import Destination
from glasshouse.delivery.outbox import ClosedError, Outbox

_OF_THE_BATCH = frozenset({"content-type", "content-encoding", "content-length"})
_DEFAULT_TIMEOUT = 10.0
_sessions: WeakSet[requests.Session] = WeakSet()


def make_session(outbox: Outbox, signal: Signal | None) -> requests.Session:
    """Return a session whose requests are answered at once with 200, and delivered later."""
    session = _Session()
    adapter = _OutboxAdapter(outbox, signal)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    _sessions.add(session)
    return session


def after_fork() -> None:
    """Replace the locks that a thread of the parent may have held."""
    for session in list(_sessions):
        session.cookies = RequestsCookieJar()


class _Session(requests.Session):
    def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
        # requests prefers REQUESTS_CA_BUNDLE to what the exporter has set: OTEL_EXPORTER_OTLP_CERTIFICATE
        merged = super().merge_environment_settings(*args, **kwargs)
        return merged if self.verify is True else {**merged, "verify": self.verify}


class _OutboxAdapter(BaseAdapter):
    def __init__(self, outbox: Outbox, signal: Signal | None) -> None:
        super().__init__()
        self._outbox = outbox
        self._signal = signal

    def send(  # noqa: PLR0913, PLR0917 - as the base class has it
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        url = request.url or ""
        signal = self._signal or self._outbox.signal_of(url)
        if signal is None or not isinstance(request.body, bytes):
            raise requests.ConnectionError("not a request of an OTLP exporter", request=request)
        kept = {name: value for name, value in request.headers.items() if name.lower() not in _OF_THE_BATCH}
        seconds = timeout if isinstance(timeout, int | float) and timeout > 0 else _DEFAULT_TIMEOUT
        destination = Destination(url, kept, verify, cert, dict(proxies or {}), seconds)
        content_type = request.headers.get("content-type", "application/x-protobuf")
        encoding = request.headers.get("content-encoding")
        batch = Batch(signal, request.body, time.time_ns(), content_type, encoding)
        try:
            self._outbox.put(batch, destination)
        except ClosedError:
            raise requests.ConnectionError("telemetry is shut down", request=request) from None
        return _accepted(request)

    def close(self) -> None:
        """Do nothing: the exporters close their session, the outbox still delivers."""


def _accepted(request: requests.PreparedRequest) -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response.reason = "OK"
    response.url = request.url or ""
    response.request = request
    response._content = b""  # noqa: SLF001 - an answer without a network has no other way
    return response
