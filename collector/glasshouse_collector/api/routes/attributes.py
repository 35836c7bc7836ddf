"""Attributes: which there are, and their values."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from glasshouse_collector.api.attributes.metrics import read_metric_keys, read_metric_values
from glasshouse_collector.api.attributes.model import AttributeKeys, AttributeValues, Place, Signal
from glasshouse_collector.api.attributes.reading import AttributeQuestion, read_keys, read_values
from glasshouse_collector.api.conditions import MOST_CONDITIONS, MOST_TEXT
from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS
from glasshouse_collector.api.problems import PROBLEMS, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.time_range import TimeRange, time_range

MOST_ATTRIBUTES = 1000
_RESOURCE = "resource."


def attribute_routes(questions: Questions) -> APIRouter:
    """Return `/attributes`."""
    routes = APIRouter(tags=["attributes"])

    @routes.get(
        "/attributes",
        summary="List attributes, or the values of one",
        response_model=AttributeKeys | AttributeValues,
        responses={**EXPORTS, **answers(*PROBLEMS, HTTPStatus.NOT_FOUND)},
        dependencies=EXPORTABLE,
    )
    async def attributes(  # noqa: PLR0913, PLR0917  (one each parameter)
        request: Request,
        within: Annotated[TimeRange, Depends(time_range("now-24h"))],
        signal: Signal = "traces",
        service_name: Annotated[
            list[str], Query(max_length=MOST_CONDITIONS, description="Of one of these services.")
        ] = [],  # noqa: B006  (FastAPI copies it)
        key: Annotated[
            str,
            Query(
                max_length=MOST_TEXT,
                description="The values of this one; after `resource.` the resource's.",
                examples=["http.route"],
            ),
        ] = "",
        place: Annotated[
            Place | None, Query(description="Only the records' own, or the resource's …")
        ] = None,
        text: Annotated[
            str, Query(max_length=MOST_TEXT, description="In the key, or in the value; in either case.")
        ] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_ATTRIBUTES)] = 100,
    ) -> Response:
        """Return which attributes records have, or with `key` the values of one, the most frequent first.

        Keys are counted exactly, and one that came once is told. Values are counted in a sample where
        much is sent: then `sampled` is true, counts are estimates, and rare values may be missing.
        """
        if key.startswith(_RESOURCE) and place is None:
            place, key = "resource", key.removeprefix(_RESOURCE)
        asked = AttributeQuestion(signal, within, limit, service_name, place, key, text)
        if not key:
            keys = read_metric_keys if signal == "metrics" else read_keys
            return await questions.answer(
                request, lambda store: keys(store, asked, questions.limits), rows="attributes"
            )
        values = read_metric_values if signal == "metrics" else read_values
        return await questions.answer(
            request,
            lambda store: values(store, asked, questions.limits),
            rows="values",
            missing=f"no record of {signal} has the attribute {key[:200]!r} in this time",
        )

    return routes
