"""What a user may set of the API."""

from pydantic import Field

from glasshouse_collector.core.components import ComponentConfig


class QueryConfig(ComponentConfig):
    """The limits of one question to the store, and how many are answered at a time."""

    max_seconds: float = Field(default=30.0, gt=0, le=3600)
    """A query is stopped after this many seconds."""
    max_rows: int = Field(default=10_000, ge=1, le=10_000_000)
    """A query whose answer has more rows is refused."""
    max_memory_bytes: int = Field(default=1 << 30, ge=1 << 20)
    """A query that needs more memory is stopped."""
    max_concurrent: int = Field(default=4, ge=1, le=256)
    """Queries that run at once; one more waits."""
    max_wait_seconds: float = Field(default=2.0, ge=0, le=60)
    """A query that waited this long for its turn is told to come back."""


class ApiConfig(ComponentConfig):
    """Where the API listens and what it allows."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free port."""
    max_body_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 30)
    """A request with a larger body is refused."""
    query: QueryConfig = QueryConfig()
