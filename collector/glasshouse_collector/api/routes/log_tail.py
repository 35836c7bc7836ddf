"""Log records as they come."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query, Request

from glasshouse_collector.api.access import caller_of, require
from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.event_stream import MEDIA_TYPE, EventStream, OpenStreams
from glasshouse_collector.api.logs.arrivals import LogArrivals
from glasshouse_collector.api.logs.tail import LogTail, TailQuestion
from glasshouse_collector.api.logs.tail_place import parse_place
from glasshouse_collector.api.logs.tail_seats import TailSeats
from glasshouse_collector.api.problems import PROBLEMS, Problem, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.routes.logs import MOST_LOGS, log_conditions
from glasshouse_collector.core.access import Scope
from glasshouse_collector.core.components import Services

_ADMITTED_SECONDS = 60.0
"""How long a key may stay good for a tail after it was revoked."""
_EXAMPLE = (
    "id: 18a7f6b3c2d10000.1f3e-1-40.2a~6920a2b1~1f3e-1-40.50ea.0.2a\n"
    'event: log\ndata: {"id": "18a7f6b3c2d10000.1f3e-1-40.2a", "service_name": "shop-web", …}\n\n'
)
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events without end: `log` (data: a LogRecord), `gap` (data: `left_out`, how many "
        "records were left out, null where they were not counted; `start_time`, `end_time`).",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


def log_tail_routes(
    questions: Questions, services: Services, streams: OpenStreams, seats: TailSeats | None = None
) -> APIRouter:
    """Return `/logs/tail`."""
    routes = APIRouter(tags=["logs"])
    arrivals = LogArrivals(lambda project: questions.store().of_project(project))
    seats = seats or TailSeats()
    admit = require(services, Scope.READ)

    @routes.get(
        "/logs/tail",
        summary="Follow log records live",
        response_class=EventStream,
        status_code=200,
        responses={**_EVENTS, **answers(*PROBLEMS)},
    )
    async def tail_logs(
        request: Request,
        conditions: Annotated[Conditions, Depends(log_conditions)],
        last: Annotated[int, Query(ge=0, le=MOST_LOGS, description="How many of before, at first.")] = 20,
        cursor: Annotated[str, Query(description="The id of an event: go on after it.")] = "",
        last_event_id: Annotated[str, Header(description="The same, as browsers send it.")] = "",
    ) -> EventStream:
        """Send log records as they are stored, for which all that is asked holds: server-sent events.

        What is told is what is stored after the tail began, in the order it is stored, if its time lies
        within an hour of now. To go on after a break, send the `id` of the last event as `Last-Event-ID`
        (browsers do so by themselves) or `cursor`: nothing is left out then, and nothing comes twice.
        """
        caller = caller_of(request)
        written = last_event_id or cursor
        asked = TailQuestion(caller.project, conditions, last, parse_place(written) if written else None)

        async def events() -> AsyncGenerator[bytes, None]:
            admitted = time.monotonic()
            with seats.taken(caller.key or caller.project):
                async with aclosing(LogTail(arrivals, asked).events()) as told:
                    async for event in told:
                        yield event
                        if time.monotonic() - admitted > _ADMITTED_SECONDS:
                            try:
                                await to_thread.run_sync(admit, request, None, None, None)
                            except Problem:
                                return
                            admitted = time.monotonic()

        return EventStream(events, streams)

    return routes
