"""Who manages which project and its keys, and what can go wrong with them, as problems."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TypeVar

from glasshouse_collector.api.problems import Problem, one_line, unavailable
from glasshouse_collector.control import Keyring, Keys, NotFound, Projects, ShownKey, Taken, Wrong
from glasshouse_collector.core.access import Caller
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Retryable

T = TypeVar("T")

log = logging.getLogger(__name__)

DOOR_CLOSED = (
    "from now on every request needs a key; "
    "`glasshouse keys create --project _self --scope admin` makes one that manages everything"
)


class Control:
    """Projects and keys, as far as a caller manages them."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @property
    def projects(self) -> Projects:
        """The projects; raises `Problem` as long as their database is away."""
        return self._get(Projects)

    @property
    def keys(self) -> Keys:
        """The keys; raises `Problem` as long as their database is away."""
        return self._get(Keys)

    def key_of(self, caller: Caller, prefix: str) -> ShownKey:
        """Return a key that the caller manages; another's looks as if it were not there."""
        with suppress(NotFound):
            key = self.keys.get(prefix)
            if manages(caller, key.project_id):
                return key
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no key {prefix}")

    def changed(self) -> None:
        """Have the doors know the keys as they are now; a failure is made good by the next refresh."""
        try:
            self._get(Keyring).refresh()
        except (Problem, Retryable) as failed:
            log.warning("keys were changed, and the doors know it only with the next refresh: %s", failed)

    def _get(self, contract: type[T]) -> T:
        try:
            return self._services.get(contract)
        except LookupError:
            raise unavailable("the database of projects and keys is not connected yet") from None


def manages(caller: Caller, project_id: str) -> bool:
    """Whether the caller may see and change a project's keys."""
    return caller.everywhere or caller.project == project_id


def through_the_open_door(caller: Caller) -> bool:
    """Whether the caller needed no key, as long as there are none."""
    return caller.everywhere and not caller.key


def operator_only(caller: Caller) -> None:
    """Raise a `Problem` for who manages just one project."""
    if not caller.everywhere:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"the key {caller.key} manages the keys of {caller.project} alone; "
            "the operator's token or an admin key of _self is needed",
        )


def no_such_project(project_id: str) -> Problem:
    """Return what is said of a project that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, f"there is no project {project_id}")


@contextmanager
def control_problems() -> Iterator[None]:
    """Tell what goes wrong as a `Problem`."""
    try:
        yield
    except Wrong as wrong:
        raise Problem(HTTPStatus.BAD_REQUEST, one_line(wrong)) from None
    except NotFound as missing:
        raise Problem(HTTPStatus.NOT_FOUND, one_line(missing)) from None
    except Taken as taken:
        raise Problem(HTTPStatus.CONFLICT, one_line(taken)) from None
    except Retryable as away:
        raise unavailable(str(away)) from None
