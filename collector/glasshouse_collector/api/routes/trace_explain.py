"""One trace, explained by its normal siblings."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS
from glasshouse_collector.api.insights.limits import analysis_limits
from glasshouse_collector.api.insights.trace_model import ExplainedTrace
from glasshouse_collector.api.problems import PROBLEMS, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.routes.traces import TraceId, missing_trace, normal_trace_id
from glasshouse_collector.insights.trace import explain_trace
from glasshouse_collector.store import ProjectStore


def trace_explain_routes(questions: Questions) -> APIRouter:
    """Return `/traces/{trace_id}/explain`."""
    routes = APIRouter(tags=["insights"])
    limits = analysis_limits(questions.limits)

    @routes.get(
        "/traces/{trace_id}/explain",
        summary="Explain one trace",
        response_model=ExplainedTrace,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS, HTTPStatus.NOT_FOUND)},
    )
    async def explain(request: Request, trace_id: TraceId) -> Response:
        """Return what is unusual in a slow or failed trace, against normal traces near it.

        Its siblings have the same root service and operation, no failed span, and are the faster three
        quarters of those; up to 100 within an hour, or a day where there are few. Spans are compared by
        where they stand. As CSV, NDJSON or Parquet: its spans.
        """
        wanted = normal_trace_id(trace_id)

        def read(store: ProjectStore) -> ExplainedTrace | None:
            explained = explain_trace(store, wanted, limits)
            return None if explained is None else ExplainedTrace.of(explained)

        return await questions.answer(request, read, rows="spans", missing=missing_trace(wanted))

    return routes
