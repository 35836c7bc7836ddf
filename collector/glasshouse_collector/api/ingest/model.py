"""What older clients' doors answer, and how their bodies are documented."""

from typing import Any, Final

from pydantic import BaseModel, Field

from glasshouse_collector.ingest import MOST_ITEMS, Converted

_TOLD: Final = 300


class BadItem(BaseModel):
    """One item that was not taken."""

    index: int = Field(description="Its place in the list, from 0.", examples=[3])
    field: str = Field(description="The field that is wrong.", examples=["level"])
    message: str = Field(description="What is wrong, and what would be right.")


class IngestAnswer(BaseModel):
    """What was taken: it is on disk, and can be asked for a moment later."""

    accepted: int = Field(examples=[49])
    rejected: int = Field(examples=[1])
    errors: list[BadItem] = Field(description="The items that were not taken; the others were.")

    @classmethod
    def of(cls, converted: Converted) -> "IngestAnswer":
        """Return the answer to a request once it is kept."""
        return cls(
            accepted=converted.accepted,
            rejected=len(converted.mistakes),
            errors=[
                BadItem(index=index, field=mistake.field, message=mistake.expected[:_TOLD])
                for index, mistake in converted.mistakes
            ],
        )


def body_of(item: dict[str, Any], example: Any, *, listed: bool) -> dict[str, Any]:
    """Return the OpenAPI documentation of a body: a list of items, or an object with it."""
    items = {"type": "array", "maxItems": MOST_ITEMS, "items": item}
    in_object = {"type": "object", "required": ["logs"], "properties": {"logs": items}}
    schemas = [items, in_object] if listed else [in_object, items]
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"anyOf": schemas}, "example": example}},
        }
    }


_TEXT: Final = {"type": "string"}
_LEVEL: Final = {
    "type": "string",
    "description": "TRACE, DEBUG, INFO, WARN, ERROR, CRITICAL or FATAL, in either case.",
}
_TIME: Final = {"type": "string", "format": "date-time", "description": "Without it, when it came in."}

PROJECT_MONITOR_ITEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["level", "message"],
    "properties": {
        "service_name": _TEXT,
        "level": _LEVEL,
        "message": _TEXT,
        "operation": _TEXT,
        "status": _TEXT,
        "error_type": _TEXT,
        "correlation_id": _TEXT | {"description": "32 hex digits, or a UUID, become the trace id too."},
        "metadata": {"type": "object"},
        "source": _TEXT,
        "timestamp": _TIME,
    },
}
PROJECT_MONITOR_EXAMPLE: Final = {
    "logs": [
        {
            "service_name": "my-service",
            "level": "ERROR",
            "message": "Database connection failed",
            "operation": "db_connect",
            "status": "error",
            "error_type": "ConnectionError",
            "correlation_id": "abc-123",
            "metadata": {"host": "db.internal", "retry": 3},
            "source": "sdk",
        }
    ]
}
TRACEHUB_ITEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["level", "message"],
    "properties": {
        "level": _LEVEL,
        "message": _TEXT,
        "timestamp": _TIME,
        "service": _TEXT,
        "environment": _TEXT,
        "host": _TEXT,
        "pid": {"type": "integer"},
        "thread_id": _TEXT,
        "sdk_version": _TEXT,
        "trace_id": _TEXT | {"description": "32 hex digits, or a UUID, become the trace id."},
        "module": _TEXT,
        "error_type": _TEXT,
        "error_message": _TEXT,
        "stack_trace": _TEXT,
        "extra": {"type": "object"},
    },
}
TRACEHUB_EXAMPLE: Final = [
    {
        "level": "ERROR",
        "message": "Payment failed",
        "timestamp": "2026-03-01T12:00:00.123+00:00",
        "service": "order-service",
        "environment": "production",
        "host": "node-1",
        "pid": 4711,
        "thread_id": "MainThread",
        "sdk_version": "1.2.0",
        "module": "billing",
        "error_type": "ValueError",
        "error_message": "no such order",
        "stack_trace": "Traceback (most recent call last): …",
        "extra": {"order_id": 123},
    }
]
