"""Errors as the API tells them: RFC 9457 problem details, never a traceback."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

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
    extra = error.extra if isinstance(error, Problem) else {}
    return problem_response(error.status_code, detail, error.headers, **extra)


def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101  (registered for it alone)
    return problem_response(HTTPStatus.BAD_REQUEST, "; ".join(_wrong_fields(error.errors())))


def _wrong_fields(errors: Sequence[Any]) -> list[str]:
    return [_wrong_field(wrong) for wrong in errors]


def _wrong_field(wrong: Any) -> str:
    if wrong["type"] == "json_invalid":
        return f"the body is no JSON: {wrong['ctx']['error']}"
    if wrong["type"] == "model_attributes_type" and wrong["loc"] == ("body",):
        return "the body should be a JSON object, sent with Content-Type: application/json"
    field = ".".join(str(part) for part in wrong["loc"][1:]) or wrong["loc"][0]  # not where it was sent
    return f"{field}: {'a value is needed' if wrong['type'] == 'missing' else wrong['msg']}"
