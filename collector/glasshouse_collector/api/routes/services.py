"""Services: how they do, what they do, and who calls whom."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS
from glasshouse_collector.api.problems import PROBLEMS, Problem, answers
from glasshouse_collector.api.questions import Questions
from glasshouse_collector.api.services.counts import MINUTE, Minutes
from glasshouse_collector.api.services.detail import OperationOrder, read_service
from glasshouse_collector.api.services.map import read_service_map
from glasshouse_collector.api.services.model import ServiceDetail, ServiceList, ServiceMap
from glasshouse_collector.api.services.reading import read_services
from glasshouse_collector.api.time_range import TimeRange, time_range

MOST_SERVICES = 1000
MOST_OPERATIONS = 1000
MOST_EDGES = 1000
_LONGEST_LOOKBACK = 10_080
_NAME_LENGTH = 1000


def looked_back(
    request: Request,
    within: Annotated[TimeRange, Depends(time_range("now-24h"))],
    lookback_minutes: Annotated[
        int | None,
        Query(
            ge=1,
            le=_LONGEST_LOOKBACK,
            description="The last so many minutes, instead of start_time and end_time; 1440 without either.",
            examples=[1440],
        ),
    ] = None,
) -> Minutes:
    """Return the range that is asked about; a `Problem` names the parameter that is wrong."""
    if lookback_minutes is None:
        return Minutes.around(within)
    if request.query_params.keys() & {"start_time", "end_time"}:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "lookback_minutes: either this or start_time and end_time is expected"
        )
    return Minutes.around(TimeRange(within.end - lookback_minutes * MINUTE, within.end))


def service_routes(questions: Questions) -> APIRouter:
    """Return `/services`, what lies under it, and `/service-map`."""
    routes = APIRouter(tags=["services"])

    @routes.get(
        "/services",
        summary="List services",
        response_model=ServiceList,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    async def services(
        request: Request,
        minutes: Annotated[Minutes, Depends(looked_back)],
        limit: Annotated[int, Query(ge=1, le=MOST_SERVICES)] = MOST_SERVICES,
    ) -> Response:
        """Return the services that sent anything, by name, with their health, requests and log records.

        A service that fell silent is told as long as the range reaches back to it.
        """
        return await questions.answer(
            request, lambda store: read_services(store, minutes, questions.limits, limit), rows="services"
        )

    @routes.get(
        "/services/{service_name:path}",
        summary="Read one service",
        response_model=ServiceDetail,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS, HTTPStatus.NOT_FOUND)},
    )
    async def service(
        request: Request,
        service_name: Annotated[
            str, Path(max_length=_NAME_LENGTH, description="Its `service.name`", examples=["checkout"])
        ],
        minutes: Annotated[Minutes, Depends(looked_back)],
        sort: Annotated[OperationOrder, Query(description="Which operations come first.")] = "calls",
        limit: Annotated[int, Query(ge=1, le=MOST_OPERATIONS, description="How many operations.")] = 100,
    ) -> Response:
        """Return a service: operations, who calls it and whom it calls, releases, instances, errors."""
        return await questions.answer(
            request,
            lambda store: read_service(store, service_name, minutes, (sort, limit), questions.limits),
            rows="operations",
        )

    @routes.get(
        "/service-map",
        summary="Read who calls whom",
        response_model=ServiceMap,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    async def service_map(
        request: Request,
        within: Annotated[TimeRange, Depends(time_range("now-1h"))],
        limit: Annotated[int, Query(ge=1, le=MOST_EDGES, description="How many edges.")] = MOST_EDGES,
    ) -> Response:
        """Return services, and the databases, queues and hosts they call, with the calls between them.

        Edges come from the spans themselves, those of long ranges from a sample of the range's time.
        """
        minutes = Minutes.around(within)
        return await questions.answer(
            request, lambda store: read_service_map(store, minutes, questions.limits, limit), rows="edges"
        )

    return routes
