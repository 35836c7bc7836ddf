"""Errors: exceptions by service, type and place."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from glasshouse_collector.api.conditions import MOST_CONDITIONS, MOST_TEXT, Conditions
from glasshouse_collector.api.errors.cursor import parse_cursor
from glasshouse_collector.api.errors.model import ErrorDetails, ErrorPage, Sort, Source
from glasshouse_collector.api.errors.reading import ErrorQuestion, read_error, read_page
from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS
from glasshouse_collector.api.logs.place import fingerprint
from glasshouse_collector.api.problems import PROBLEMS, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.time_range import TimeRange, time_range
from glasshouse_collector.api.wrong_fields import asks_for

MOST_ERRORS = 1000
MOST_OCCURRENCES = 100

Texts = Annotated[list[str], Query(max_length=MOST_CONDITIONS)]


def error_conditions(
    service_name: Annotated[Texts, Query(description="Of one of these services.")] = [],  # noqa: B006
    type: Annotated[  # noqa: A002  (its name in the address)
        str,
        Query(
            max_length=MOST_TEXT,
            description="Of this type, with or without its package.",
            examples=["KeyError"],
        ),
    ] = "",
    text: Annotated[
        str, Query(max_length=MOST_TEXT, description="In the type, the message or the place; in either case.")
    ] = "",
    environment: Annotated[
        Texts, Query(description="From one of these environments (`deployment.environment.name`).")
    ] = [],  # noqa: B006
) -> Conditions:
    """Return what is asked of exceptions."""
    conditions = Conditions()
    conditions.one_of("ServiceName", service_name)
    conditions.one_of("Environment", environment)
    if type:
        whole, last = conditions.value(type, "String"), conditions.value(f".{type}", "String")
        conditions.add(f"Type = {whole} OR endsWith(toString(Type), {last})")
    if text:
        written = conditions.value(text, "String")
        conditions.add(
            " OR ".join(
                f"positionCaseInsensitiveUTF8({it}, {written}) > 0" for it in ("Message", "Type", "Frame")
            )
        )
    return conditions


def error_routes(questions: Questions) -> APIRouter:
    """Return `/errors` and `/errors/{error_id}`."""
    routes = APIRouter(tags=["errors"])

    @routes.get(
        "/errors",
        summary="List errors",
        response_model=ErrorPage,
        responses={**EXPORTS, **answers(*PROBLEMS)},
        dependencies=EXPORTABLE,
    )
    async def errors(  # noqa: PLR0913, PLR0917  (one each parameter)
        request: Request,
        conditions: Annotated[Conditions, Depends(error_conditions)],
        within: Annotated[TimeRange, Depends(time_range("now-24h"))],
        source: Annotated[
            Source | None, Query(description="Told by events of spans, or by log records, alone.")
        ] = None,
        sort: Annotated[
            Sort,
            Query(
                description="Most frequent, last seen or longest known first; `new`: those seen in the range "
                "for the first time, the newest first."
            ),
        ] = "count",
        limit: Annotated[int, Query(ge=1, le=MOST_ERRORS)] = 50,
        cursor: Annotated[str, Query(description="The `next_cursor` of the page before.")] = "",
    ) -> Response:
        """Return exceptions by service, type and the place in the code that raised them, a page at a time.

        They are events of spans named `exception`, and log records with attributes `exception.…`. One
        that is told by both, of the same span, is counted once.
        """
        question = fingerprint(conditions.terms, sorted(conditions.values.items()), source, sort)
        after = parse_cursor(cursor, question) if cursor else None
        asked = ErrorQuestion(
            conditions, source, after.range if after else within, sort, limit, question, after
        )
        return await questions.answer(
            request, lambda store: read_page(store, asked, questions.limits), rows="errors"
        )

    @routes.get(
        "/errors/{error_id}",
        summary="Read one error and its last occurrences",
        response_model=ErrorDetails,
        responses={**EXPORTS, **answers(*PROBLEMS, HTTPStatus.NOT_FOUND)},
        dependencies=EXPORTABLE,
    )
    async def error(
        request: Request,
        error_id: Annotated[
            str,
            Path(
                pattern=asks_for("an error's id, 16 digits of 0-9 and a-f,", "^[0-9a-f]{16}$"),
                description="The `id` of an error.",
                examples=["a0e4a6328bfd694b"],
            ),
        ],
        within: Annotated[TimeRange, Depends(time_range("now-7d"))],
        limit: Annotated[int, Query(ge=1, le=MOST_OCCURRENCES, description="How many occurrences.")] = 20,
    ) -> Response:
        """Return one error, with stack traces and attributes of the last times that it occurred."""
        return await questions.answer(
            request,
            lambda store: read_error(store, int(error_id, 16), within, limit, questions.limits),
            rows="occurrences",
            missing=f"the error {error_id} did not occur in this time",
        )

    return routes
