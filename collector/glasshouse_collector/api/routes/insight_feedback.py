"""What users say of insights."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from glasshouse_collector.api.control.access import control_problems
from glasshouse_collector.api.exports import EXPORTABLE, EXPORTS, MEDIA_TYPES, encode, format_of
from glasshouse_collector.api.insights.feedback_model import FeedbackPage, FeedbackShown, FeedbackToGive
from glasshouse_collector.api.insights.known_services import require_known
from glasshouse_collector.api.insights.place import parse_feedback_place, written_feedback_place
from glasshouse_collector.api.insights.remembered import Remembered, one_project
from glasshouse_collector.api.logs.place import fingerprint
from glasshouse_collector.api.problems import BODY_PROBLEMS, PROBLEMS, Problem, answers
from glasshouse_collector.api.wrong_fields import asks_for
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Retryable
from glasshouse_collector.store import QueryLimits, Store
from glasshouse_collector.store.engine import EngineFailure

MOST_FEEDBACK = 1000


def feedback_routes(services: Services) -> APIRouter:
    """Return `/insights/feedback`, of the caller's project."""
    routes = APIRouter(tags=["insights"])
    remembered = Remembered(services)

    @routes.post(
        "/insights/feedback",
        summary="Say whether insights helped",
        status_code=HTTPStatus.CREATED,
        responses=answers(*BODY_PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    def give_feedback(request: Request, feedback: FeedbackToGive) -> FeedbackShown:
        """Keep what you say of an incident, or of what was said of the last minutes.

        A correction is shown with similar incidents later. Service and kind that users name, or confirm,
        are ranked a little higher from then on, and what they reject a little lower.
        """
        project = one_project(request)
        with control_problems():
            about = feedback.incident_id and remembered.incidents.get(project, feedback.incident_id)
            if feedback.incident_id and not about:
                raise Problem(HTTPStatus.NOT_FOUND, f"there is no incident {feedback.incident_id}")
            given = feedback.given()
            if not about or given.service not in about.services:
                _require_known(services, project, given.service)
            return FeedbackShown.of(remembered.feedback.add(project, given))

    @routes.get(
        "/insights/feedback",
        summary="List what users said of insights",
        response_model=FeedbackPage,
        dependencies=EXPORTABLE,
        responses={**EXPORTS, **answers(*PROBLEMS)},
    )
    def list_feedback(
        request: Request,
        incident_id: Annotated[
            str,
            Query(
                pattern=asks_for("an incident's id, 12 digits of 0-9 and a-f,", "^([0-9a-f]{12})?$"),
                description="Of this incident alone.",
            ),
        ] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_FEEDBACK)] = 50,
        cursor: Annotated[str, Query(description="The `next_cursor` of the page before.")] = "",
    ) -> Response:
        """Return what users said, the latest first, a page at a time."""
        question = fingerprint(incident_id)
        before = parse_feedback_place(cursor, question) if cursor else None
        wanted = format_of(request)
        with control_problems():
            found = remembered.feedback.list(
                one_project(request), incident_id or None, limit=limit + 1, before=before
            )
        told = FeedbackPage(
            feedback=[FeedbackShown.of(each) for each in found[:limit]],
            next_cursor=written_feedback_place(found[limit - 1].id, question) if len(found) > limit else None,
        )
        return Response(encode(told, "feedback", wanted), media_type=MEDIA_TYPES[wanted])

    return routes


def _require_known(services: Services, project: str, service: str) -> None:
    """Refuse a service that never sent anything; where the store cannot be asked, take it."""
    try:
        require_known(services.get(Store).of_project(project), "service", [service], QueryLimits())
    except (LookupError, EngineFailure, Retryable):
        return
