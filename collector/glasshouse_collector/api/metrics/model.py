"""Metrics as the API tells them."""

from enum import StrEnum

from pydantic import BaseModel, Field

from glasshouse_collector.api.times import Time

_TIME = "RFC 3339 in UTC, to the nanosecond"


class Kind(StrEnum):
    """What data points a metric has."""

    GAUGE = "gauge"
    SUM = "sum"
    HISTOGRAM = "histogram"
    EXPONENTIAL_HISTOGRAM = "exponential_histogram"
    SUMMARY = "summary"


class Temporality(StrEnum):
    """What a point of a sum or histogram counts from."""

    UNSPECIFIED = "unspecified"
    DELTA = "delta"
    CUMULATIVE = "cumulative"


class MetricName(BaseModel):
    """One metric, in the range of time."""

    name: str = Field(examples=["http.server.request.duration"])
    kind: Kind = Field(description="As it was sent last")
    unit: str = Field(description="As it was sent last, by UCUM", examples=["s"])
    description: str
    temporality: Temporality | None = Field(description="null: this kind has none")
    monotonic: bool = Field(description="Of a sum: it only rises, and is asked for as a rate")
    services: list[str] = Field(description="Who sends it, at most 100")
    series: int = Field(description="How many series there are, within 3 %")
    points: int = Field(description="How many points were stored on the days of the range")
    first_seen: Time = Field(description=f"{_TIME}; within the days of the range")
    last_seen: Time
    conflicts: list[str] = Field(
        description="In what its senders differ: kind, unit, monotonic", examples=[["unit: ms, s"]]
    )


class MetricNames(BaseModel):
    """Some metrics, by name."""

    metrics: list[MetricName]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null: this is the last"
    )
    start_time: Time = Field(description=f"Where the range of time began, {_TIME}")
    end_time: Time


class ValueCount(BaseModel):
    """How many points have one value of an attribute."""

    value: str
    points: int


class MetricAttribute(BaseModel):
    """An attribute of a metric's points, or of the resources they come from."""

    key: str = Field(
        description="As it is written in `where` and `group_by`", examples=["resource.host.name"]
    )
    values: list[ValueCount] = Field(description="The most frequent ones, at most 20, of the sample")
    distinct: int = Field(description="How many values there are in the sample, within 3 %")


class MetricDetails(MetricName):
    """One metric and how it can be asked for."""

    functions: list[str] = Field(description="What fits its kind in `POST /metrics/query`")
    attributes: list[MetricAttribute]
    sample_start_time: Time = Field(description="Values are those of the points from here to `last_seen`")
    sampled_points: int = Field(description="How many points that were, at most 200,000")


class Exemplar(BaseModel):
    """One measurement and the span in which it was made."""

    time: Time
    value: float
    trace_id: str
    span_id: str
    attributes: dict[str, str]


class MetricSeries(BaseModel):
    """One line of an answer."""

    labels: dict[str, str] = Field(description="By the keys of `group_by`; empty: there is no such attribute")
    values: list[float | None] = Field(description="One each time; null: nothing was told")
    total: float | None = Field(description="Of what adds up over time: the sum of the values; else null")
    exemplars: list[Exemplar] = Field(description="The largest, where they are asked for; at most 5")


class MetricAnswer(BaseModel):
    """What a question about metrics is answered with."""

    name: str = Field(description="The metric's name, or the formula")
    function: str
    unit: str
    start_time: Time = Field(description=f"The range of time widened to whole steps, {_TIME}")
    end_time: Time
    step_seconds: int
    times: list[str] = Field(description="When each step begins")
    series: list[MetricSeries] = Field(description="The largest first")
    truncated: bool = Field(description="There are more series than `limit`")
    notes: list[str] = Field(description="What was done", examples=[["cumulative", "2 resets"]])


class MetricPoint(BaseModel):
    """One value, for exports."""

    time: Time
    labels: dict[str, str]
    value: float


class MetricPoints(BaseModel):
    """An answer as flat rows."""

    points: list[MetricPoint]
