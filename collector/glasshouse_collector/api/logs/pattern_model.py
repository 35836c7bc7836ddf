"""Patterns of log records as the API tells them."""

from pydantic import BaseModel, Field

from glasshouse_collector.api.times import Time
from glasshouse_collector.patterns import Trend

_TIME = "RFC 3339 in UTC, to the nanosecond"


class LogExample(BaseModel):
    """A log record of a pattern."""

    id: str = Field(description="For `/logs/{id}/context`", examples=["18a7f6b3c2d10000.1f3e-1-40.2a"])
    body: str = Field(description="Its first line, at most 400 characters")


class LogTrend(BaseModel):
    """How often a pattern came."""

    word: Trend = Field(
        description="The second half of the range beside the first: `new` and `gone` where one has none; "
        "`rising` and `falling`: half as many again, and more than chance would bring."
    )
    counts: list[int] = Field(description="In each step of the range, the oldest first")


class LogPattern(BaseModel):
    """Log records that say the same but for what varies."""

    id: str = Field(description="The same for the same template, whenever it is asked")
    template: str = Field(
        description="The line, with `<number>`, `<ip>`, `<uuid>`, `<hex>`, `<timestamp>`, `<duration>`, "
        "`<path>`, `<quoted>` in place of these, and `<*>` where other words vary",
        examples=["order <number> placed by <*> in <duration>"],
    )
    count: int
    share: float = Field(description="Of all that is counted here, 0 to 1")
    levels: dict[str, int] = Field(
        description="Counts by level, those that there are", examples=[{"info": 120, "error": 3}]
    )
    services: list[str] = Field(description="Which services it came from, some 20 at most of each shape")
    first_seen: Time = Field(description=_TIME)
    last_seen: Time
    trend: LogTrend
    examples: list[LogExample] = Field(description="Up to three, of different lines as far as there are")


class LogPatterns(BaseModel):
    """The patterns of log records, the frequent ones first."""

    patterns: list[LogPattern]
    truncated: bool = Field(description="Whether there are more patterns than were asked for")
    total: int = Field(description="How many log records fulfil the conditions")
    sampled: bool = Field(
        description="Whether only some were looked at: then counts are reckoned from these, and what is "
        "rare may be missing"
    )
    looked_at: float = Field(description="Which share of them was looked at, 0 to 1")
    start_time: Time
    end_time: Time
    step_seconds: int
