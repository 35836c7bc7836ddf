"""The client for code that waits for its answers."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx

from glasshouse.client.calls import Call, answer_of, error_of, settings_of
from glasshouse.client.errors import Unreachable
from glasshouse.client.events import Event, Events
from glasshouse.client.exporting import exporting
from glasshouse.client.operations import Operations


class Client(Operations):
    """Asks one collector. Safe to use from several threads; close it, or use it as a context.

    `url` and `key` default to `GLASSHOUSE_API_URL` (else `http://127.0.0.1:8000`) and
    `GLASSHOUSE_API_KEY`. `project` names another than the key's, for those who may see every one.
    `seconds` is how long an answer may take. Methods raise `ApiError` and `Unreachable`.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        project: str | None = None,
        seconds: float = 60.0,
    ) -> None:
        self._http = httpx.Client(**settings_of(url, key, project, seconds))

    def close(self) -> None:
        """Close the connections. Safe repeatedly."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def export(self, operation: str, format: str, **arguments: Any) -> bytes:  # noqa: A002  (as the API calls it)
        """Return the rows of an operation's answer as `csv`, `ndjson` or `parquet`.

        `client.export("logs", "csv", service_name=["checkout"])` asks what `client.logs` would.
        """
        rows: bytes = self._ask(exporting(operation, format, arguments))
        return rows

    def _ask(self, call: Call) -> Any:
        try:
            response = self._http.request(call.method, call.address, params=call.query, json=call.content)
        except httpx.TransportError as failure:
            raise Unreachable(f"{self._http.base_url}: {failure or type(failure).__name__}") from None
        return answer_of(response)

    def _each(self, call: Call, rows: str) -> Iterator[Any]:
        while True:
            page = self._ask(call)
            yield from page[rows]
            if not page.get("next_cursor"):
                return
            call = Call(
                call.method, call.path, call.names, {**call.parameters, "cursor": page["next_cursor"]}
            )

    def _listen(self, call: Call) -> Iterator[Event]:
        events = Events()
        try:
            with self._http.stream(
                call.method,
                call.address,
                params=call.query,
                headers={"Accept": "text/event-stream"},
                timeout=httpx.Timeout(30.0, read=60.0),
            ) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                for line in response.iter_lines():
                    yield from events.add(line)
        except httpx.TransportError as failure:
            raise Unreachable(f"{self._http.base_url}: {failure or type(failure).__name__}") from None
