"""Errors as the API tells them: RFC 9457 problem details, never a traceback."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from glasshouse_collector.api.wrong_fields import wrong_fields

MEDIA_TYPE = "application/problem+json"
PROBLEMS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What any question may be answered with."""
BODY_PROBLEMS = (*PROBLEMS, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""What any question with a body may be answered with."""


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 shapes it."""

    type: str = Field(
        default="about:blank", description="What kind of problem; about:blank: as the status says."
    )
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was wrong, and what would be right.")
    id: str | None = Field(default=None, description="Of an unexpected error: what to look for in the log.")


class Problem(HTTPException):
    """An answer that is an error; `detail` is one line for a person, `extra` are members of its own."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status_code=status, detail=detail, headers=dict(headers or {}))
        self.extra = dict(extra or {})


def answers(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Describe problems a route may answer with, for its OpenAPI documentation."""
    return {
        int(status): {
            "model": ProblemDetails,
            "description": status.description or status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status in statuses
    }


def unavailable(reason: str) -> Problem:
    """Return a 503 that asks to come back."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, one_line(reason), headers={"Retry-After": "2"})


def one_line(text: object) -> str:
    """Return the text with every run of white space as one blank, at most 2,000 characters."""
    return " ".join(str(text).split())[:2000]


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
) -> JSONResponse:
    """Return a problem as a response."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return JSONResponse(content, status, dict(headers or {}), media_type=MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Make `app` answer every foreseen error with a problem."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for it alone)
    detail = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"there is nothing at {request.url.path}; what there is stands in /docs"
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = allowed = ", ".join(_methods(request))
        detail = f"{request.url.path} takes {allowed}, not {request.method}"
    extra = error.extra if isinstance(error, Problem) else {}
    return problem_response(error.status_code, detail, headers, **extra)


def _methods(request: Request) -> list[str]:
    """Return what can be done at a path: each of its methods may be a route of its own."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path and route.methods and compile_path(route.path)[0].fullmatch(request.url.path):
            found |= route.methods
    return sorted(found)


def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101  (registered for it alone)
    return problem_response(HTTPStatus.BAD_REQUEST, "; ".join(wrong_fields(error.errors())))
