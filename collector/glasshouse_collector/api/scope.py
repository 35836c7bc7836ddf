"""The instrumentation scope, of spans and log records alike."""

from pydantic import BaseModel


class InstrumentationScope(BaseModel):
    """Which instrumentation made a record."""

    name: str
    version: str
