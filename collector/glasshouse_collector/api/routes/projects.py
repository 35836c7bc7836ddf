"""Projects: made, listed, deleted."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from glasshouse_collector.api.access import caller_of
from glasshouse_collector.api.control.access import (
    DOOR_CLOSED,
    Control,
    control_problems,
    manages,
    no_such_project,
    operator_only,
    through_the_open_door,
)
from glasshouse_collector.api.control.model import (
    CreatedProject,
    ProjectAnswer,
    ProjectId,
    ProjectList,
    ProjectToMake,
)
from glasshouse_collector.api.problems import PROBLEMS, answers
from glasshouse_collector.core.components import Services


def project_routes(services: Services) -> APIRouter:
    """Return `/projects`; whoever asks has been admitted with the scope `admin`."""
    routes = APIRouter(tags=["projects and keys"])
    control = Control(services)

    @routes.post(
        "/projects",
        summary="Make a project and its first key",
        status_code=HTTPStatus.CREATED,
        responses=answers(*PROBLEMS, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    )
    def create_project(request: Request, project: ProjectToMake) -> CreatedProject:
        """Make a project with a key to send and to ask (`ingest`, `read`), which is told this once.

        The operator may, and everyone as long as there are no keys at all: the first key ends that.
        A `project_id` that is, or was, another project's is a 409.
        """
        caller = caller_of(request)
        operator_only(caller)
        with control_problems():
            made = control.projects.create(project.name, project.description, project.project_id)
            key = control.keys.create(made.id)
        control.changed()
        told = ProjectAnswer.of(made).model_dump()
        note = DOOR_CLOSED if through_the_open_door(caller) else None
        return CreatedProject(**told, api_key=key.secret, note=note)

    @routes.get("/projects", summary="Projects", responses=answers(*PROBLEMS))
    def list_projects(request: Request) -> ProjectList:
        """Return the projects that the caller manages: all for the operator, else the key's own."""
        caller = caller_of(request)
        with control_problems():
            found = control.projects.list()
        return ProjectList(projects=[ProjectAnswer.of(one) for one in found if manages(caller, one.id)])

    @routes.get(
        "/projects/{project_id}",
        summary="One project",
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    def get_project(request: Request, project_id: ProjectId) -> ProjectAnswer:
        """Return a project; one that the caller does not manage looks as if it were not there."""
        if not manages(caller_of(request), project_id):
            raise no_such_project(project_id)
        with control_problems():
            return ProjectAnswer.of(control.projects.get(project_id))

    @routes.delete(
        "/projects/{project_id}",
        summary="Delete a project",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=answers(*PROBLEMS, HTTPStatus.NOT_FOUND),
    )
    def delete_project(request: Request, project_id: ProjectId) -> None:
        """Close a project for ever: its keys open nothing any more, and its id is not given again.

        Only the operator may. What was stored stays until retention removes it.
        """
        caller = caller_of(request)
        if not manages(caller, project_id):
            raise no_such_project(project_id)
        operator_only(caller)
        with control_problems():
            control.projects.delete(project_id)
        control.changed()

    return routes
