"""Where incidents and users' word on them are remembered, as long as that is there."""

from http import HTTPStatus
from typing import TypeVar

from starlette.requests import Request

from glasshouse_collector.api.access import caller_of
from glasshouse_collector.api.problems import Problem, unavailable
from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.control.incidents import Incidents
from glasshouse_collector.core.components import Services
from glasshouse_collector.store.project_store import EVERY_PROJECT

T = TypeVar("T")


class Remembered:
    """Incidents and feedback of all projects; each raises `Problem` as long as their database is away."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def incidents(self) -> Incidents:
        """The incidents."""
        return self._get(Incidents)

    @property
    def feedback(self) -> Feedback:
        """What users said."""
        return self._get(Feedback)

    def _get(self, contract: type[T]) -> T:
        try:
            return self._services.get(contract)
        except LookupError:
            raise unavailable("the database of incidents and feedback is not connected yet") from None


def one_project(request: Request) -> str:
    """Return whose incidents are asked for; a `Problem` where that is everybody's."""
    project = caller_of(request).project
    if project == EVERY_PROJECT:
        raise Problem(HTTPStatus.BAD_REQUEST, "project: incidents are one project's; name one")
    return project
