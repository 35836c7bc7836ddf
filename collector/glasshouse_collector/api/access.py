"""Who may ask: the keys that open the receivers open `/api/v1` too, each for what it is made for."""

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Query, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from fastapi.security import APIKeyHeader, HTTPBasic, HTTPBearer
from starlette.routing import BaseRoute

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.api.wrong_fields import asks_for
from glasshouse_collector.control import Projects
from glasshouse_collector.core.access import PEER, SELF_PROJECT, Authenticator, Caller, Scope
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import Backpressure, Forbidden, LimitReached, Retryable, Unauthenticated
from glasshouse_collector.core.peers import peer_of
from glasshouse_collector.store import EVERY_PROJECT


class _Basic(HTTPBasic):
    """Only described: what is sent is the authenticator's to judge."""

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        del request


# These only tell the OpenAPI documentation what the authenticator accepts.
_BEARER = HTTPBearer(auto_error=False, description="A project's key, or the operator's token")
_API_KEY = APIKeyHeader(name="X-API-Key", auto_error=False, description="A project's key")
_BASIC = _Basic(auto_error=False, description="Any user, with a project's key as the password")


_DESCRIBING: Final = threading.Lock()
"""Describing sets aside warnings of the whole process, which two threads must not do at once."""


def require(services: Services, scope: Scope) -> Callable[..., Caller]:
    """Return a dependency that tells who asks; 401, 403 or 429 for whoever has no key of that scope.

    503 as long as it is not known which keys there are.
    """

    def admitted(
        request: Request,
        bearer: Annotated[object, Depends(_BEARER)],
        api_key: Annotated[object, Depends(_API_KEY)],
        basic: Annotated[object, Depends(_BASIC)],
    ) -> Caller:
        del bearer, api_key, basic
        request.state.caller = caller = _admit(services, request, scope)
        return caller

    return admitted


def require_reader(services: Services) -> Callable[..., Caller]:
    """Return a dependency that tells who asks and of which project: the key's, or one that may be named."""

    def reader(
        request: Request,
        caller: Annotated[Caller, Depends(require(services, Scope.READ))],
        project: Annotated[
            str,
            Query(
                description="Of which project, for those who may see every one (the operator, and everyone "
                "as long as there are no keys); `*`: of all. Else the key's.",
                pattern=asks_for(
                    "a project's id (a-z, 0-9, dashes), or *,", r"^([a-z0-9_][a-z0-9-]{0,62}|\*)?$"
                ),
            ),
        ] = "",
    ) -> Caller:
        _refuse_unknown(request)
        if project and project != caller.project:
            if not caller.everywhere:
                raise Problem(
                    HTTPStatus.FORBIDDEN, f"project: this key sees the project {caller.project} alone"
                )
            _refuse_absent(services, project)
            request.state.caller = caller = replace(caller, project=project)
        return caller

    return reader


def _refuse_absent(services: Services, project: str) -> None:
    """Refuse a project that never was: an empty answer would look right. Nobody else can name one."""
    if project == EVERY_PROJECT:
        return
    try:
        there = services.get(Projects).ever(project)
    except (LookupError, Retryable):  # while their database is away, records can be asked for all the same
        return
    if not there:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            f"project: there is no project {project}; GET /api/v1/projects and `glasshouse projects list` "
            "tell which there are",
        )


def _refuse_unknown(request: Request) -> None:
    """Refuse a parameter that the operation does not know: an answer without it would look right."""
    if not request.query_params:
        return
    known = _known_parameters(request.app, request.scope["route"])
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, 1) or [it for it in sorted(known) if name and name in it]
            hint = f"is {near[0]} meant?" if near else f"there are {', '.join(sorted(known)) or 'none'}"
            raise Problem(HTTPStatus.BAD_REQUEST, f"{name[:64]}: there is no such parameter; {hint}")


def _known_parameters(app: FastAPI, route: BaseRoute) -> frozenset[str]:
    """Return the names of an operation's parameters, as its description has them."""
    if not hasattr(app.state, "known_parameters"):
        app.state.known_parameters = {}
    known: dict[int, frozenset[str]] = app.state.known_parameters
    if id(route) in known:
        return known[id(route)]
    with _DESCRIBING:
        # Its own description alone: that of all takes half a second.
        within = [it for it in iter_route_contexts(app.routes) if it.original_route is route]
        described = get_openapi(title=app.title, version=app.version, routes=within)["paths"]
        known[id(route)] = frozenset(
            it["name"]
            for methods in described.values()
            for operation in methods.values()
            for it in operation.get("parameters", [])
            if it["in"] == "query"
        )
    return known[id(route)]


def require_operator(services: Services) -> Callable[..., None]:
    """Return a dependency that lets in who may see what is every project's: 403 for a key of just one.

    Keys of the collector's own project (`_self`) see it too.
    """

    def operator(caller: Annotated[Caller, Depends(require(services, Scope.READ))]) -> None:
        if not caller.everywhere and caller.project != SELF_PROJECT:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                f"this shows every project; the operator's token or a key of {SELF_PROJECT} is needed",
            )

    return operator


def caller_of(request: Request) -> Caller:
    """Return who asks, of a request that was let in."""
    caller: Caller = request.state.caller
    return caller


def _admit(services: Services, request: Request, scope: Scope) -> Caller:
    authenticator = services.get(Authenticator)  # type: ignore[type-abstract]
    try:
        return authenticator.admit(_headers(request), scope)
    except Unauthenticated as refused:
        raise Problem(HTTPStatus.UNAUTHORIZED, str(refused), headers={"WWW-Authenticate": "Bearer"}) from None
    except Forbidden as refused:
        raise Problem(HTTPStatus.FORBIDDEN, str(refused)) from None
    except Backpressure as refused:
        too_many = isinstance(refused, LimitReached)
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS if too_many else HTTPStatus.SERVICE_UNAVAILABLE,
            str(refused),
            headers={"Retry-After": str(math.ceil(refused.retry_after))},
        ) from None


def _headers(request: Request) -> Mapping[str, str]:
    peer = {PEER: peer_of(request.client.host)} if request.client else {}
    return {name.lower(): value for name, value in request.headers.items()} | peer
