"""Incidents: what was wrong, and what was found to be the cause."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from glasshouse_collector.api.conditions import MOST_TEXT
from glasshouse_collector.api.control.access import control_problems
from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS, MEDIA_TYPES, encode, format_of
from glasshouse_collector.api.insights.feedback_model import FeedbackShown
from glasshouse_collector.api.insights.incident_model import (
    IncidentDetails,
    IncidentPage,
    IncidentSummary,
    incident_details,
)
from glasshouse_collector.api.insights.place import IncidentPlace, parse_incident_place
from glasshouse_collector.api.insights.remembered import Remembered, one_project
from glasshouse_collector.api.logs.place import fingerprint
from glasshouse_collector.api.problems import PROBLEMS, Problem, answers
from glasshouse_collector.api.time_range import TimeRange, time_range
from glasshouse_collector.api.times import rfc3339
from glasshouse_collector.api.wrong_fields import asks_for
from glasshouse_collector.core.components import Services

MOST_INCIDENTS = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def incident_routes(services: Services) -> APIRouter:
    """Return `/incidents` and `/incidents/{incident_id}`, of the caller's project."""
    routes = APIRouter(tags=["insights"])
    remembered = Remembered(services)

    @routes.get(
        "/incidents",
        summary="List incidents",
        response_model=IncidentPage,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    def incidents(  # noqa: PLR0913, PLR0917  (one each parameter)
        request: Request,
        within: Annotated[TimeRange, Depends(time_range("now-7d"))],
        status: Annotated[
            Literal["open", "resolved"] | None, Query(description="Those that go on, or that ended.")
        ] = None,
        service_name: Annotated[
            str,
            Query(max_length=MOST_TEXT, pattern=r"^[^\x00]*$", description="Those that touch this service."),
        ] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_INCIDENTS)] = 50,
        cursor: Annotated[str, Query(description="The `next_cursor` of the page before.")] = "",
    ) -> Response:
        """Return incidents that went on at some time within the range, those that began last first."""
        question = fingerprint(status, service_name)
        after = parse_incident_place(cursor, question) if cursor else None
        asked = after.range if after else within
        wanted = format_of(request)
        with control_problems():
            found = remembered.incidents.list(
                one_project(request),
                status,
                _moment(asked.start),
                limit + 1,
                until=_moment(asked.end),
                service=service_name,
                before=(_EPOCH + after.started * _MICROSECOND, after.incident_id) if after else None,
            )
        page, more = found[:limit], len(found) > limit
        told = IncidentPage(
            incidents=[IncidentSummary.of(incident) for incident in page],
            next_cursor=IncidentPlace(asked, _microseconds(page[-1].started_at), page[-1].id).written(
                question
            )
            if more
            else None,
            start_time=rfc3339(asked.start),
            end_time=rfc3339(asked.end),
        )
        return Response(encode(told, "incidents", wanted), media_type=MEDIA_TYPES[wanted])

    @routes.get(
        "/incidents/{incident_id}",
        summary="Read one incident",
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    def incident(
        request: Request,
        incident_id: Annotated[
            str,
            Path(
                pattern=asks_for("an incident's id, 12 digits of 0-9 and a-f,", "^[0-9a-f]{12}$"),
                description="The `id` of an incident.",
                examples=["3f9a1c0b7d2e"],
            ),
        ],
    ) -> IncidentDetails:
        """Return an incident with its analysis, as it was last made, and what users said of it."""
        project = one_project(request)
        with control_problems():
            found = remembered.incidents.get(project, incident_id)
            if found is None:
                raise Problem(HTTPStatus.NOT_FOUND, f"there is no incident {incident_id}")
            said = remembered.feedback.list(project, incident_id)
        return incident_details(found, [FeedbackShown.of(each) for each in said])

    return routes


def _moment(unix_nano: int) -> datetime:
    return _EPOCH + (unix_nano // 1000) * _MICROSECOND


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
