"""One trace, whole."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from glasshouse_collector.api.problems import PROBLEMS, Problem, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.trace_model import Trace
from glasshouse_collector.api.trace_reading import read_trace

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_EXAMPLE = "4bf92f3577b34da6a3ce929d0e0e4736"


def trace_routes(questions: Questions) -> APIRouter:
    """Return `/traces/{trace_id}`."""
    routes = APIRouter(tags=["traces"])

    @routes.get(
        "/traces/{trace_id}",
        summary="Read one trace",
        response_model=Trace,
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    async def trace(
        request: Request,
        trace_id: Annotated[str, Path(description="32 hex digits, in either case", examples=[_EXAMPLE])],
    ) -> Response:
        """Return the spans and log records of one trace, in the order of time."""
        wanted = _normal(trace_id)

        return await questions.answer(
            request,
            lambda store: read_trace(store, wanted, questions.limits),
            missing=f"nothing is kept of trace {wanted}: it has not arrived yet, or its retention is over",
        )

    return routes


def _normal(trace_id: str) -> str:
    """Return the id in lower case; raises `Problem` saying what would be right."""
    lowered = trace_id.lower()
    if not _TRACE_ID.fullmatch(lowered) or not lowered.strip("0"):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"{trace_id[:64]!r} is no trace id: 32 hex digits are expected, not all zero, such as {_EXAMPLE}",
        )
    return lowered
