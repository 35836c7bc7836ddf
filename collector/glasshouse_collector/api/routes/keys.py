"""Keys: made, listed, revoked, rotated."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request

from glasshouse_collector.api.access import caller_of
from glasshouse_collector.api.control.access import (
    DOOR_CLOSED,
    Control,
    control_problems,
    manages,
    no_such_project,
    through_the_open_door,
)
from glasshouse_collector.api.control.model import (
    CreatedKey,
    DayAnswer,
    KeyAnswer,
    KeyDetails,
    KeyList,
    KeyPrefix,
    KeyToMake,
    ProjectId,
    Rotation,
    key_details,
)
from glasshouse_collector.api.problems import PROBLEMS, answers
from glasshouse_collector.core.components import Services

_MOST_AFTER = 90 * 86_400


def key_routes(services: Services) -> APIRouter:
    """Return `/projects/{id}/keys` and `/keys`; whoever asks has been admitted with the scope `admin`."""
    routes = APIRouter(tags=["projects and keys"])
    _of_a_project(routes, Control(services))
    _of_a_key(routes, Control(services))
    return routes


def _of_a_project(routes: APIRouter, control: Control) -> None:
    @routes.post(
        "/projects/{project_id}/keys",
        summary="Make a key",
        status_code=HTTPStatus.CREATED,
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    )
    def create_key(request: Request, project_id: ProjectId, key: KeyToMake) -> CreatedKey:
        """Make a key of the project. `api_key` is told this once; only its hash is kept.

        An admin key makes keys of its own project; the operator those of every one.
        """
        caller = caller_of(request)
        if not manages(caller, project_id):
            raise no_such_project(project_id)
        with control_problems():
            made = control.keys.create(project_id, key.settings())
        control.changed()
        return CreatedKey.made(
            made.secret, made.shown, DOOR_CLOSED if through_the_open_door(caller) else None
        )

    @routes.get(
        "/projects/{project_id}/keys",
        summary="A project's keys",
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    def list_keys(request: Request, project_id: ProjectId) -> KeyList:
        """Return the keys of a project, those that ended too, the oldest first."""
        if not manages(caller_of(request), project_id):
            raise no_such_project(project_id)
        with control_problems():
            control.projects.get(project_id)
            return KeyList(keys=[KeyAnswer.of(key) for key in control.keys.list(project_id)])


def _of_a_key(routes: APIRouter, control: Control) -> None:
    @routes.get(
        "/keys/{prefix}",
        summary="One key and what it sent",
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    def get_key(request: Request, prefix: KeyPrefix) -> KeyDetails:
        """Return a key and how much it sent on each of the last days."""
        with control_problems():
            key = control.key_of(caller_of(request), prefix)
            days = control.keys.usage(prefix)
        usage = [DayAnswer(day=it.day.isoformat(), records=it.records, bytes=it.bytes) for it in days]
        return key_details(key, usage)

    @routes.delete(
        "/keys/{prefix}",
        summary="Revoke a key",
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    def revoke_key(
        request: Request,
        prefix: KeyPrefix,
        after_seconds: Annotated[
            int, Query(ge=0, le=_MOST_AFTER, description="In how long it ends; without it, at once.")
        ] = 0,
    ) -> KeyAnswer:
        """Let a key end. One that ends earlier already keeps its end.

        Other collectors on the same database know it a few seconds later.
        """
        with control_problems():
            control.key_of(caller_of(request), prefix)
            ended = control.keys.revoke(prefix, timedelta(seconds=after_seconds))
        control.changed()
        return KeyAnswer.of(ended)

    @routes.post(
        "/keys/{prefix}/rotate",
        summary="Replace a key",
        status_code=HTTPStatus.CREATED,
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    )
    def rotate_key(request: Request, prefix: KeyPrefix, rotation: Rotation | None = None) -> CreatedKey:
        """Make a key like this one, and let this one end after the overlap, a day unless told otherwise.

        `api_key` is told this once.
        """
        overlap = (rotation or Rotation()).overlap_seconds
        with control_problems():
            control.key_of(caller_of(request), prefix)
            made = control.keys.rotate(prefix, timedelta(seconds=overlap))
        control.changed()
        return CreatedKey.made(made.secret, made.shown, f"{prefix} ends in {overlap} seconds")
