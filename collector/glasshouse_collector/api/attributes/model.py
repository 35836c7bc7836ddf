"""Attributes as the API tells them."""

from typing import Literal

from pydantic import BaseModel, Field

from glasshouse_collector.api.times import Time

Signal = Literal["traces", "logs", "metrics"]
Place = Literal["own", "resource", "scope"]

_QUARTER = "RFC 3339; the range is widened to whole quarter hours (for metrics to days of UTC)"


class AttributeKey(BaseModel):
    """One attribute that records have."""

    key: str = Field(examples=["http.route"])
    place: Place = Field(description="Whose it is: the record's own, its resource's or its scope's")
    records: int = Field(
        description="How many spans or log records have it; of metrics, data points of the metrics that do"
    )
    distinct_values: int | None = Field(description="An estimate of how many values it has; null: not known")
    last_seen: Time = Field(examples=["2026-11-21T12:00:00.123456789Z"])


class AttributeKeys(BaseModel):
    """The attributes of records, the most frequent first."""

    attributes: list[AttributeKey]
    truncated: bool = Field(description="There are more; `text` or a higher `limit` finds them")
    start_time: Time = Field(description=_QUARTER)
    end_time: Time


class AttributeValue(BaseModel):
    """One value of an attribute."""

    value: str = Field(description="Of longer values the first 200 characters")
    records: int = Field(description="How many records have it; an estimate where the answer is `sampled`")


class AttributeValues(BaseModel):
    """The values of one attribute, the most frequent first."""

    key: str
    records: int = Field(description="How many records have the attribute, with whatever value")
    distinct_values: int | None = Field(description="An estimate of how many values there are")
    values: list[AttributeValue]
    sampled: bool = Field(description="Values are of a sample of the records: rare ones may be missing")
    truncated: bool = Field(description="There are more values than are told")
    start_time: Time = Field(description=_QUARTER)
    end_time: Time
