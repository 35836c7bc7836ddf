"""Services as the API tells them: how they do, what they do, and whom they call."""

from typing import Literal

from pydantic import BaseModel, Field

from glasshouse_collector.api.times import Time

_TIME = "RFC 3339 in UTC, to the nanosecond"
_WITHIN = "Within 4.5 %"

Status = Literal["healthy", "degraded", "critical"]
NodeKind = Literal["service", "database", "queue", "external"]


class Service(BaseModel):
    """How a service does."""

    service_name: str
    status: Status = Field(
        description="healthy: no errors; critical: at least 30 % of the log records are errors, or of the "
        "requests failed; degraded: less"
    )
    total_logs: int = Field(description="Log records")
    error_count: int = Field(description="Log records of the level error and above")
    warning_count: int = Field(description="Log records of the level warn")
    last_seen: Time = Field(description=f"The last record of any signal. {_TIME}")
    last_heartbeat: Time | None = Field(description=f"The last heartbeat, none where there is none. {_TIME}")
    requests: int = Field(description="Server and consumer spans")
    failed_requests: int = Field(description="Those with the status Error")
    rate: float = Field(description="Requests a second")
    error_ratio: float | None = Field(description="Failed requests to requests; none where there are none")
    p50_ns: int | None = Field(description=f"Median duration of requests in nanoseconds. {_WITHIN}")
    p95_ns: int | None = Field(description=_WITHIN)
    p99_ns: int | None = Field(description=_WITHIN)
    spans: int = Field(description="Spans of any kind")
    version: str | None = Field(description="`service.version`, the last that was seen")
    versions: list[str] = Field(description="All that were seen, up to 20")
    environment: str | None = Field(description="`deployment.environment.name`, the last that was seen")
    environments: list[str] = Field(description="All that were seen, up to 20")
    instances: int = Field(description="Distinct `service.instance.id` and `host.name`")


class ServiceList(BaseModel):
    """Services, by name."""

    services: list[Service]
    start_time: Time = Field(description=f"The range in whole minutes. {_TIME}")
    end_time: Time = Field(description=_TIME)
    truncated: bool = Field(description="There are more services than are told here")


class Operation(BaseModel):
    """What a service does under one name."""

    name: str = Field(description="The spans' name; what looks like an id in it is a *")
    kind: str = Field(description="Internal, Server, Client, Producer, Consumer or Unspecified")
    calls: int
    errors: int
    rate: float = Field(description="Calls a second")
    error_ratio: float
    p50_ns: int = Field(description=_WITHIN)
    p95_ns: int = Field(description=_WITHIN)
    p99_ns: int = Field(description=_WITHIN)
    last_seen: Time = Field(description=f"To the minute. {_TIME}")


class Release(BaseModel):
    """One version of a service."""

    version: str
    first_seen: Time = Field(description=f"In the range. {_TIME}")
    last_seen: Time = Field(description=_TIME)
    instances: int
    requests: int | None = Field(description="None where no request was seen that says its version")
    error_ratio: float | None
    p95_ns: int | None


class Instance(BaseModel):
    """One process or container of a service."""

    id: str = Field(description="`service.instance.id`")
    host: str = Field(description="`host.name`")
    version: str
    environment: str
    first_seen: Time = Field(description=f"In the range. {_TIME}")
    last_seen: Time = Field(description=_TIME)


class ServiceStep(BaseModel):
    """Requests of a stretch of time."""

    time: Time = Field(description=f"When it begins. {_TIME}")
    requests: int
    failed_requests: int
    rate: float = Field(description="Requests a second")
    p95_ns: int | None


class ErrorTrace(BaseModel):
    """A trace in which the service failed."""

    trace_id: str
    time: Time = Field(description=_TIME)
    operation: str
    message: str = Field(description="The span's status message, its first 500 characters")
    duration_ns: int


class Dependency(BaseModel):
    """Who calls, or is called."""

    kind: NodeKind
    name: str
    calls: int = Field(description="Scaled up where the traces are sampled")
    errors: int
    rate: float = Field(description="Calls a second")
    p95_ns: int | None = Field(description="As the caller measured it; else as the called one did")


class ServiceDetail(BaseModel):
    """One service whole."""

    service: Service
    operations: list[Operation]
    operations_truncated: bool = Field(description="There are more operations than are told here")
    called_by: list[Dependency]
    calls: list[Dependency]
    dependencies_start_time: Time = Field(
        description=f"Dependencies are those of the last hour of the range up to the last span. {_TIME}"
    )
    dependencies_end_time: Time = Field(description=_TIME)
    dependencies_sampled: int = Field(description="1: from all spans of that hour; N: from about one in N")
    releases: list[Release]
    releases_sampled: int = Field(description="1: from all requests; N: from about one in N")
    instances: list[Instance] = Field(description="The last seen first, up to 200")
    step_seconds: int
    steps: list[ServiceStep]
    error_traces: list[ErrorTrace] = Field(description="The newest first, up to 10")
    start_time: Time = Field(description=f"The range in whole minutes. {_TIME}")
    end_time: Time = Field(description=_TIME)


class ServiceNode(BaseModel):
    """A service, or what services call that sends no spans of its own."""

    id: str = Field(description="Kind and name: service:checkout")
    kind: NodeKind
    name: str
    system: str = Field(description="Of a database or queue: postgresql, kafka, …")
    requests: int
    rate: float = Field(description="Requests a second")
    error_ratio: float | None
    p95_ns: int | None


class ServiceEdge(BaseModel):
    """Calls from one node to another."""

    client: str = Field(description="The id of a node")
    server: str = Field(description="The id of a node")
    calls: int = Field(description="Scaled up where the traces are sampled")
    errors: int = Field(description="Calls that failed at either side")
    rate: float = Field(description="Calls a second")
    client_p50_ns: int | None = Field(description="As the client measured it")
    client_p95_ns: int | None
    server_p50_ns: int | None = Field(description="As the server measured it")
    server_p95_ns: int | None


class ServiceMap(BaseModel):
    """Who calls whom."""

    nodes: list[ServiceNode]
    edges: list[ServiceEdge]
    sampled: int = Field(description="1: edges are of all traces; N: of about one in N, scaled up")
    start_time: Time = Field(description=f"The range in whole minutes. {_TIME}")
    end_time: Time = Field(description=_TIME)
    truncated: bool = Field(description="There are more nodes or edges than are told here")
