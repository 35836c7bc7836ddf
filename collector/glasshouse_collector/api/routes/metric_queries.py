"""Metrics: which there are, and what they say over time."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from glasshouse_collector.api.conditions import MOST_CONDITIONS, MOST_TEXT
from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS, Format, format_of
from glasshouse_collector.api.metrics.answering import answer_formula, answer_query, flat
from glasshouse_collector.api.metrics.body import FormulaQuestion, MetricQuestion
from glasshouse_collector.api.metrics.details import read_details
from glasshouse_collector.api.metrics.model import Kind, MetricAnswer, MetricDetails, MetricNames
from glasshouse_collector.api.metrics.names import NamesQuestion, read_names
from glasshouse_collector.api.metrics.steps import steps_of
from glasshouse_collector.api.problems import BODY_PROBLEMS, PROBLEMS, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.time_range import TimeRange, time_range
from glasshouse_collector.store import ProjectStore

MOST_NAMES = 1000


def metric_query_routes(questions: Questions) -> APIRouter:
    """Return `/metrics` under the API's prefix and what lies under it."""
    routes = APIRouter(tags=["metrics"])
    _with_names(routes, questions)
    _with_questions(routes, questions)
    return routes


def _with_names(routes: APIRouter, questions: Questions) -> None:
    @routes.get(
        "/metrics/names",
        summary="List metrics",
        response_model=MetricNames,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    async def metric_names(  # noqa: PLR0913, PLR0917  (one each parameter)
        request: Request,
        within: Annotated[TimeRange, Depends(time_range("now-24h"))],
        text: Annotated[
            str,
            Query(
                max_length=MOST_TEXT,
                description="A part of the name, in either case.",
                examples=["http.server"],
            ),
        ] = "",
        service_name: Annotated[
            list[str], Query(max_length=MOST_CONDITIONS, description="Sent by one of these services.")
        ] = [],  # noqa: B006  (FastAPI copies it)
        kind: Annotated[Kind | None, Query(description="Of this kind.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_NAMES)] = 100,
        cursor: Annotated[
            str, Query(max_length=2 * MOST_TEXT, description="The `next_cursor` of the page before.")
        ] = "",
    ) -> Response:
        """Return the metrics of which there are points in the range, by name, a page at a time."""
        asked = NamesQuestion(text, service_name, kind, within, limit, cursor)
        return await questions.answer(
            request, lambda store: read_names(store, asked, questions.limits), rows="metrics"
        )

    @routes.get(
        "/metrics/{name}",
        summary="Read about a metric",
        response_model=MetricDetails,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS, HTTPStatus.NOT_FOUND)},
    )
    async def metric(
        request: Request,
        name: Annotated[
            str, Path(max_length=MOST_TEXT, description="As it was sent.", examples=["http.server.requests"])
        ],
        within: Annotated[TimeRange, Depends(time_range("now-24h"))],
    ) -> Response:
        """Return what a metric is, who sends it, how it can be asked for, and its attributes.

        The values of attributes are those of the last hour in which it was sent.
        """
        return await questions.answer(
            request, lambda store: read_details(store, name, within, questions.limits), rows="attributes"
        )


def _with_questions(routes: APIRouter, questions: Questions) -> None:
    @routes.post(
        "/metrics/query",
        summary="Ask for a metric over time",
        response_model=MetricAnswer,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*BODY_PROBLEMS, HTTPStatus.NOT_FOUND)},
    )
    async def query_metrics(request: Request, asked: MetricQuestion) -> Response:
        """Return a metric over time: one series each group, in steps of one length.

        The range is widened to whole steps. As CSV, NDJSON or Parquet: a row each value.
        """
        steps = steps_of(asked)
        return await _answered(
            request, questions, lambda store: answer_query(store, asked, steps, questions.limits)
        )

    @routes.post(
        "/metrics/formula",
        summary="Compute with metrics over time",
        response_model=MetricAnswer,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*BODY_PROBLEMS, HTTPStatus.NOT_FOUND)},
    )
    async def query_formula(request: Request, asked: FormulaQuestion) -> Response:
        """Return a formula of up to five queries over time, such as `100 * failed / all`.

        Series meet by their labels, so the queries are grouped by the same keys, or by none.
        """
        steps = steps_of(asked)
        return await _answered(
            request, questions, lambda store: answer_formula(store, asked, steps, questions.limits)
        )


async def _answered(
    request: Request, questions: Questions, read: Callable[[ProjectStore], MetricAnswer]
) -> Response:
    """Return series as they are, or flat rows where another format than JSON is asked for."""
    if format_of(request) is Format.JSON:
        return await questions.answer(request, read, rows="series")

    def rows(store: ProjectStore) -> BaseModel:
        return flat(read(store))

    return await questions.answer(request, rows, rows="points")
