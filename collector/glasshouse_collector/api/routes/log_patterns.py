"""What log records say, once all that varies is left out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from glasshouse_collector.api.conditions import Conditions
from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS
from glasshouse_collector.api.logs.pattern_model import LogPatterns
from glasshouse_collector.api.logs.patterns import read_patterns
from glasshouse_collector.api.problems import PROBLEMS, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.routes.logs import log_conditions
from glasshouse_collector.api.time_range import TimeRange, time_range

MOST_PATTERNS = 1000


def log_pattern_routes(questions: Questions) -> APIRouter:
    """Return `/logs/patterns`."""
    routes = APIRouter(tags=["logs"])

    @routes.get(
        "/logs/patterns",
        summary="Find what log records say again and again",
        response_model=LogPatterns,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    async def log_patterns(
        request: Request,
        conditions: Annotated[Conditions, Depends(log_conditions)],
        within: Annotated[TimeRange, Depends(time_range("now-1h"))],
        limit: Annotated[int, Query(ge=1, le=MOST_PATTERNS, description="How many at most.")] = 100,
    ) -> Response:
        """Return the templates of the log records for which all that is asked holds, the frequent first.

        A template is a record's first line with a name in place of what varies. Of more than two million
        records one in so many is looked at, and `sampled` says so.
        """
        return await questions.answer(
            request,
            lambda store: read_patterns(store, conditions, within, limit, questions.limits),
            rows="patterns",
        )

    return routes
