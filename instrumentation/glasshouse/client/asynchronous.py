"""The client for asyncio."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import httpx

from glasshouse.client.async_operations import AsyncOperations
from glasshouse.client.calls import Call, answer_of, error_of, settings_of
from glasshouse.client.errors import Unreachable
from glasshouse.client.events import Event, Events
from glasshouse.client.exporting import exporting


class AsyncClient(AsyncOperations):
    """Asks one collector, as `Client` does, with methods to be awaited. Belongs to one event loop."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        project: str | None = None,
        seconds: float = 60.0,
    ) -> None:
        self._http = httpx.AsyncClient(**settings_of(url, key, project, seconds))

    async def aclose(self) -> None:
        """Close the connections. Safe repeatedly."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def export(self, operation: str, format: str, **arguments: Any) -> bytes:  # noqa: A002  (as the API)
        """Return the rows of an operation's answer as `csv`, `ndjson` or `parquet`."""
        rows: bytes = await self._ask(exporting(operation, format, arguments))
        return rows

    async def _ask(self, call: Call) -> Any:
        try:
            response = await self._http.request(
                call.method, call.address, params=call.query, json=call.content
            )
        except httpx.TransportError as failure:
            raise Unreachable(f"{self._http.base_url}: {failure or type(failure).__name__}") from None
        return answer_of(response)

    async def _each(self, call: Call, rows: str) -> AsyncIterator[Any]:
        while True:
            page = await self._ask(call)
            for row in page[rows]:
                yield row
            if not page.get("next_cursor"):
                return
            call = Call(
                call.method, call.path, call.names, {**call.parameters, "cursor": page["next_cursor"]}
            )

    async def _listen(self, call: Call) -> AsyncIterator[Event]:
        events = Events()
        try:
            async with self._http.stream(
                call.method,
                call.address,
                params=call.query,
                headers={"Accept": "text/event-stream"},
                timeout=httpx.Timeout(30.0, read=60.0),
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                async for line in response.aiter_lines():
                    for event in events.add(line):
                        yield event
        except httpx.TransportError as failure:
            raise Unreachable(f"{self._http.base_url}: {failure or type(failure).__name__}") from None
