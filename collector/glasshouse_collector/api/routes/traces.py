"""Traces: pages of them, and each whole."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from glasshouse_collector.api.conditions import MOST_CONDITIONS, Conditions
from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS, Format, format_of
from glasshouse_collector.api.logs.place import fingerprint
from glasshouse_collector.api.problems import PROBLEMS, Problem, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.time_range import TimeRange, time_range
from glasshouse_collector.api.traces.comparing import read_comparison
from glasshouse_collector.api.traces.comparison_model import TraceComparison
from glasshouse_collector.api.traces.conditions import SpanKind, TraceConditions, TraceStatus
from glasshouse_collector.api.traces.durations import EXPECTED, parse_duration
from glasshouse_collector.api.traces.export import ExportedSignal, OtlpDocument, read_export
from glasshouse_collector.api.traces.finding import Sort, TraceQuestion
from glasshouse_collector.api.traces.model import Trace
from glasshouse_collector.api.traces.page_model import TracePage
from glasshouse_collector.api.traces.place import parse_trace_cursor
from glasshouse_collector.api.traces.reading import read_trace
from glasshouse_collector.api.traces.summing import read_traces

MOST_TRACES = 1000
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_EXAMPLE = "4bf92f3577b34da6a3ce929d0e0e4736"

Texts = Annotated[list[str], Query(max_length=MOST_CONDITIONS)]
TraceId = Annotated[str, Path(description="32 hex digits, in either case", examples=[_EXAMPLE])]


def trace_conditions(  # noqa: PLR0913, PLR0917  (one each parameter)
    service_name: Annotated[
        Texts, Query(description="With a span of one of these services.", examples=[["checkout"]])
    ] = [],  # noqa: B006  (FastAPI copies it)
    operation: Annotated[
        Texts, Query(description="With a span of one of these names.", examples=[["GET /cart"]])
    ] = [],  # noqa: B006
    span_kind: Annotated[
        list[SpanKind], Query(max_length=MOST_CONDITIONS, description="With a span of one of these kinds.")
    ] = [],  # noqa: B006
    min_span_duration: Annotated[
        str,
        Query(
            description=f"With a span that takes at least so long: {EXPECTED}. Service, operation, kind and "
            "the duration of a span are demanded of one and the same span.",
            examples=["250ms"],
        ),
    ] = "",
    max_span_duration: Annotated[
        str, Query(description="With a span that takes at most so long.", examples=["1.5s"])
    ] = "",
    attribute: Annotated[
        Texts,
        Query(
            description="With a span that has an attribute: `key=value`, `key>5`, `key` (it is there); after "
            "`resource.` its resource's. Several may hold on different spans. `key!=value` and `!key`: "
            "no span has it.",
            examples=[["order.id=42", "resource.host.name=node-1"]],
        ),
    ] = [],  # noqa: B006
    min_duration: Annotated[
        str, Query(description=f"That takes at least so long as a whole: {EXPECTED}.", examples=["1.5s"])
    ] = "",
    max_duration: Annotated[
        str, Query(description="That takes at most so long as a whole.", examples=["3m"])
    ] = "",
    status: Annotated[
        TraceStatus | None,
        Query(description="error: a span failed; ok: none did, and one is told to be Ok; unset: neither."),
    ] = None,
) -> TraceConditions:
    """Return what is asked of traces; a `Problem` names the parameter that is wrong."""
    conditions = TraceConditions()
    span = Conditions([], conditions.values)
    span.one_of("ServiceName", service_name)
    span.one_of("SpanName", operation)
    span.one_of("SpanKind", [kind.capitalize() for kind in span_kind])
    if min_span_duration:
        shortest = parse_duration("min_span_duration", min_span_duration)
        span.add(f"Duration >= {span.value(shortest, 'UInt64')}")
    if max_span_duration:
        longest = parse_duration("max_span_duration", max_span_duration)
        span.add(f"Duration <= {span.value(longest, 'UInt64')}")
    conditions.with_span(span)
    conditions.with_attributes(attribute)
    if min_duration:
        conditions.with_duration(">=", parse_duration("min_duration", min_duration))
    if max_duration:
        conditions.with_duration("<=", parse_duration("max_duration", max_duration))
    if status:
        conditions.with_status(status)
    return conditions


def trace_routes(questions: Questions) -> APIRouter:
    """Return `/traces` and what lies under it."""
    routes = APIRouter(tags=["traces"])

    @routes.get(
        "/traces",
        summary="Find traces",
        response_model=TracePage,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    async def traces(  # noqa: PLR0913, PLR0917  (one each parameter)
        request: Request,
        conditions: Annotated[TraceConditions, Depends(trace_conditions)],
        within: Annotated[TimeRange, Depends(time_range("now-24h"))],
        sort: Annotated[
            Sort,
            Query(
                description="newest and oldest look through no more than they need, the others through all."
            ),
        ] = "newest",
        limit: Annotated[int, Query(ge=1, le=MOST_TRACES)] = 50,
        cursor: Annotated[str, Query(description="The `next_cursor` of the page before.")] = "",
    ) -> Response:
        """Return a summary of each trace for which all that is asked holds, a page at a time.

        A trace is of the range of time when a span of it began within. Pages are stable: what is written
        meanwhile neither repeats nor moves what was there. The range of time is that of the first page.
        """
        question = fingerprint(conditions.asked, sort)
        going_on = parse_trace_cursor(cursor, question) if cursor else None
        asked = TraceQuestion(
            conditions,
            going_on.range if going_on else within,
            sort,
            limit,
            question,
            going_on.after if going_on else None,
            going_on.told if going_on else (),
        )
        return await questions.answer(
            request, lambda store: read_traces(store, asked, questions.limits), rows="traces"
        )

    @routes.get(
        "/traces/compare",
        summary="Compare two traces",
        response_model=TraceComparison,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS, HTTPStatus.NOT_FOUND)},
    )
    async def compare_traces(
        request: Request,
        a: Annotated[str, Query(description="A trace's id, such as of a request that was fast.")],
        b: Annotated[str, Query(description="The id of the trace that is held against it.")],
    ) -> Response:
        """Return two traces span by span, matched by where each stands in the tree.

        A span of one is matched with the span of the other that has the same service and name, and the same
        path of these from the root, the nth with the nth. Of more than 10,000 spans the first are compared.
        """
        first, second = normal_trace_id(a, "a: "), normal_trace_id(b, "b: ")
        return await questions.answer(
            request, lambda store: read_comparison(store, first, second, questions.limits), rows="nodes"
        )

    @routes.get(
        "/traces/{trace_id}",
        summary="Read one trace",
        response_model=Trace,
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    async def trace(request: Request, trace_id: TraceId) -> Response:
        """Return the spans and log records of one trace, in the order of time."""
        wanted = normal_trace_id(trace_id)
        return await questions.answer(
            request, lambda store: read_trace(store, wanted, questions.limits), missing=missing_trace(wanted)
        )

    @routes.get(
        "/traces/{trace_id}/export",
        summary="Export one trace as OTLP",
        response_model=OtlpDocument,
        response_model_exclude_none=True,
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    async def export_trace(
        request: Request,
        trace_id: TraceId,
        signal: Annotated[
            ExportedSignal, Query(description="traces: its spans; logs: its log records.")
        ] = "traces",
    ) -> Response:
        """Return the spans, or the log records, of one trace as a request in OTLP's JSON, to keep or to send.

        `glasshouse send` takes it as a file, and any endpoint of OTLP/HTTP at `/v1/traces` or `/v1/logs`.
        Values of attributes are strings, as the store keeps them.
        """
        wanted = normal_trace_id(trace_id)
        if format_of(request) is not Format.JSON:
            raise Problem(HTTPStatus.BAD_REQUEST, "format: OTLP is exported as json")
        document = await questions.ask(
            request, lambda store: read_export(store, wanted, signal, questions.limits)
        )
        if document is None:
            raise Problem(HTTPStatus.NOT_FOUND, missing_trace(wanted))
        name = f"trace-{wanted}-{signal}.json"  # hex digits and one of two words: safe in a header
        attached = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(document, media_type="application/json", headers=attached)

    return routes


def missing_trace(trace_id: str) -> str:
    """Return what is said of a trace of which nothing is kept."""
    return f"nothing is kept of trace {trace_id}: it has not arrived yet, or its retention is over"


def normal_trace_id(trace_id: str, field: str = "") -> str:
    """Return the id in lower case; raises `Problem` saying what would be right."""
    lowered = trace_id.lower()
    if not _TRACE_ID.fullmatch(lowered) or not lowered.strip("0"):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"{field}{trace_id[:64]!r} is no trace id: 32 hex digits are expected, not all zero, "
            f"such as {_EXAMPLE}",
        )
    return lowered
