"""The body of a question about metrics, as a user writes it."""

import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from glasshouse_collector.api.conditions import MOST_CONDITIONS, MOST_TEXT
from glasshouse_collector.api.metrics.model import Kind
from glasshouse_collector.api.wrong_fields import asks_for

MOST_STEPS: Final = 1000
MOST_SERIES: Final = 1000
MOST_VALUES: Final = 500_000
MOST_KEYS: Final = 10
MOST_QUERIES: Final = 5
SIMPLE: Final = ("rate", "increase", "sum", "avg", "min", "max", "last", "count")
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?)")

Fill = Literal["null", "zero", "previous", "linear"]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=MOST_TEXT)]


class MetricQuery(BaseModel):
    """Which metric, and what of it."""

    model_config = ConfigDict(extra="forbid")

    name: _Text = Field(description="The metric's name, as it was sent", examples=["http.server.requests"])
    function: Annotated[
        str,
        StringConstraints(
            pattern=asks_for(
                f"one of {', '.join(SIMPLE)}, quantile, or a percentile such as p50 or p99.9",
                rf"^({'|'.join(SIMPLE)}|quantile|p[0-9]{{1,2}}(\.[0-9]{{1,3}})?)$",
            )
        ),
    ] = Field(description=f"{', '.join(SIMPLE)}, p50, p90, p99.9, or quantile", examples=["rate", "p95"])
    quantile: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(
        default=None, description="With the function `quantile`: which, from 0 to 1"
    )
    kind: Kind | None = Field(default=None, description="Needed where one name is of several kinds")
    service_name: Annotated[list[_Text], Field(max_length=MOST_CONDITIONS)] = Field(
        default=[], description="Of one of these services"
    )
    where: Annotated[list[_Text], Field(max_length=MOST_CONDITIONS)] = Field(
        default=[],
        description="Of attributes, all of it: `key=value`, `key!=value`, `key>5`, `key`, `!key`; "
        "after `resource.` the resource's",
        examples=[["http.route=/cart"]],
    )
    group_by: Annotated[list[_Text], Field(max_length=MOST_KEYS)] = Field(
        default=[],
        description="One series for each value of these attributes; also `service_name` and `resource.…`",
        examples=[["http.route"]],
    )

    def wanted_quantile(self) -> float | None:
        """Return the quantile that the function names; None: it names none."""
        found = _PERCENTILE.fullmatch(self.function)
        return float(found[1]) / 100 if found else self.quantile


class OverTime(BaseModel):
    """When, in which steps, and how much of the answer."""

    model_config = ConfigDict(extra="forbid")

    start_time: str = Field(
        default="now-1h", max_length=64, description="RFC 3339, or now-15m, now-1h, now-7d"
    )
    end_time: str = Field(default="now", max_length=64, description="Not included")
    step: (
        Annotated[
            str,
            StringConstraints(
                pattern=asks_for("a length such as 30s, 5m, 1h or 1d", r"^[1-9][0-9]{0,8}[smhd]$")
            ),
        ]
        | None
    ) = Field(default=None, description="How long a step is; without it, `steps` decides", examples=["30s"])
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] = Field(
        default=120, description="Into how many steps at most, of a length that people count in"
    )
    fill: Fill = Field(
        default="null",
        description="What steps without a value have: null, zero, the value before (previous), or one on the "
        "line between its neighbours (linear)",
    )
    limit: Annotated[int, Field(ge=1, le=MOST_SERIES)] = Field(
        default=20, description="How many series at most, the largest first"
    )


class MetricQuestion(MetricQuery, OverTime):
    """One metric over time."""

    exemplars: bool = Field(default=False, description="Tell measurements with the traces they were made in")


class FormulaQuestion(OverTime):
    """Several queries, and a formula of their names."""

    queries: Annotated[
        dict[
            Annotated[
                str,
                StringConstraints(
                    pattern=asks_for("a name of a-z, 0-9 and _, a letter first,", r"^[a-z][a-z0-9_]{0,31}$")
                ),
            ],
            MetricQuery,
        ],
        Field(min_length=1, max_length=MOST_QUERIES),
    ] = Field(description="Queries by the names that the formula calls them")
    formula: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Numbers, names of queries, + - * / and brackets",
        examples=["100 * failed / (failed + served)"],
    )
