"""Log records: pages of them, and the lines around one."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from glasshouse_collector.api.conditions import MOST_CONDITIONS, Conditions, with_attributes
from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS
from glasshouse_collector.api.levels import LEVELS, with_level
from glasshouse_collector.api.logs.counting import count_logs
from glasshouse_collector.api.logs.model import LogContext, LogHistogram, LogPage
from glasshouse_collector.api.logs.place import fingerprint, parse_cursor, parse_id
from glasshouse_collector.api.logs.reading import LogQuestion, Order, read_context, read_page
from glasshouse_collector.api.logs.text import with_text
from glasshouse_collector.api.problems import PROBLEMS, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.time_range import TimeRange, time_range
from glasshouse_collector.api.wrong_fields import asks_for

MOST_LOGS = 1000
MOST_STEPS = 1000

Texts = Annotated[list[str], Query(max_length=MOST_CONDITIONS)]


def log_conditions(
    level: Annotated[
        Texts, Query(description=f"{', '.join(LEVELS)}; one: it and all above, several: just these.")
    ] = [],  # noqa: B006  (FastAPI copies it)
    service_name: Annotated[Texts, Query(description="One of these services.")] = [],  # noqa: B006
    text: Annotated[
        str,
        Query(
            description='Words and "phrases", all of them in the body, in either case; or /a regex/.',
            examples=['timeout "connection refused"'],
        ),
    ] = "",
    attribute: Annotated[
        Texts,
        Query(
            description="Of an attribute: `key=value`, `key!=value`, `key>5`, `key` (it is there), `!key`; "
            "after `resource.` the resource's.",
            examples=[["http.route=/cart", "resource.host.name=node-1"]],
        ),
    ] = [],  # noqa: B006
    trace_id: Annotated[
        str,
        Query(
            description="32 hex digits: of this trace.",
            pattern=asks_for("a trace's id, 32 hex digits,", "^([0-9a-fA-F]{32})?$"),
        ),
    ] = "",
) -> Conditions:
    """Return what is asked of log records; a `Problem` names the parameter that is wrong."""
    conditions = Conditions()
    with_level(conditions, level)
    conditions.one_of("ServiceName", service_name)
    conditions.one_of("TraceId", [trace_id.lower()] if trace_id else [])
    with_text(conditions, text)
    with_attributes(conditions, attribute, "LogAttributes")
    return conditions


def log_routes(questions: Questions) -> APIRouter:
    """Return `/logs` and what lies under it."""
    routes = APIRouter(tags=["logs"])

    @routes.get(
        "/logs",
        summary="Read log records",
        response_model=LogPage,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    async def logs(  # noqa: PLR0913, PLR0917  (one each parameter)
        request: Request,
        conditions: Annotated[Conditions, Depends(log_conditions)],
        within: Annotated[TimeRange, Depends(time_range("now-24h"))],
        order: Order = "newest",
        limit: Annotated[int, Query(ge=1, le=MOST_LOGS)] = 100,
        cursor: Annotated[str, Query(description="The `next_cursor` of the page before.")] = "",
    ) -> Response:
        """Return the log records for which all that is asked holds, a page at a time.

        Pages are stable: whatever is written meanwhile, no record of the range comes twice and none that
        was there at the first page is left out. The range of time is that of the first page.
        """
        question = fingerprint(conditions.terms, sorted(conditions.values.items()), order)
        going_on = parse_cursor(cursor, question) if cursor else None
        asked = LogQuestion(
            conditions,
            going_on.range if going_on else within,
            order,
            limit,
            question,
            going_on.after if going_on else None,
        )
        return await questions.answer(
            request, lambda store: read_page(store, asked, questions.limits), rows="logs"
        )

    @routes.get(
        "/logs/histogram",
        summary="Count log records by time and level",
        response_model=LogHistogram,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    async def log_histogram(
        request: Request,
        conditions: Annotated[Conditions, Depends(log_conditions)],
        within: Annotated[TimeRange, Depends(time_range("now-24h"))],
        steps: Annotated[int, Query(ge=1, le=MOST_STEPS, description="Into how many steps at most.")] = 60,
    ) -> Response:
        """Return how many log records there are for which all that is asked holds, in steps of one length."""
        return await questions.answer(
            request,
            lambda store: count_logs(store, conditions, within, steps, questions.limits),
            rows="steps",
        )

    @routes.get(
        "/logs/{log_id}/context",
        summary="Read the log records around one",
        response_model=LogContext,
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    async def log_context(
        request: Request,
        log_id: Annotated[str, Path(description="The `id` of a log record.")],
        lines: Annotated[int, Query(ge=1, le=MOST_LOGS // 2, description="How many before, and after.")] = 20,
    ) -> Response:
        """Return a log record and its neighbours of the same service and instance, within an hour."""
        place = parse_id(log_id)
        return await questions.answer(
            request,
            lambda store: read_context(store, place, lines, questions.limits),
            missing="no such log record is kept: its retention may be over",
        )

    return routes
