"""What a user may set of the API."""

from pydantic import Field

from glasshouse_collector.core.components import ComponentConfig
from glasshouse_collector.core.tls import TlsConfig


class ApiConfig(ComponentConfig):
    """Where the API listens, and what one request may cost."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes a free port."""
    tls: TlsConfig | None = None
    """Where set, HTTPS is spoken, and nothing else."""
    max_body_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 30)
    """A request with a larger body is refused."""
    body_seconds: float = Field(default=30.0, gt=0)
    """A request whose body takes longer to arrive is refused."""
    query_seconds: float = Field(default=30.0, gt=0)
    """A query is stopped after this time."""
    query_rows: int = Field(default=100_000, ge=1)
    """A query whose answer has more rows is refused."""
    query_memory: int = Field(default=2 << 30, ge=1 << 20)
    """A query that needs more bytes of memory is stopped."""
    query_answer_bytes: int = Field(default=64 << 20, ge=1 << 10)
    """A query whose answer has more bytes is refused."""
    query_concurrency: int = Field(default=4, ge=1, le=256)
    """Queries that run at once; one more waits."""
    query_concurrency_per_key: int = Field(default=3, ge=1, le=256)
    """Queries of one key that run at once; one more waits."""
    slow_query_seconds: float = Field(default=5.0, gt=0)
    """A query that takes this long is logged."""
    query_wait_seconds: float = Field(default=2.0, ge=0)
    """A query that waited this long for its turn is told to come back."""
