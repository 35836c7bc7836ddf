"""What users say of insights, as the API takes and tells it."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from glasshouse_collector.api.wrong_fields import asks_for
from glasshouse_collector.control.feedback import (
    MOST_CORRECTION,
    MOST_SERVICE,
    GivenFeedback,
    ShownFeedback,
)
from glasshouse_collector.insights.findings import FaultKind

LEAST_LOOKBACK: Final = 5
MOST_LOOKBACK: Final = 1440
_NO_NUL: Final = r"^[^\x00]*$"

IncidentId = Annotated[
    str, Field(pattern=asks_for("an incident's id, 12 digits of 0-9 and a-f,", r"^[0-9a-f]{12}$"))
]


class FeedbackToGive(BaseModel):
    """What a user says of the insights of the last minutes, or of an incident."""

    model_config = ConfigDict(extra="forbid")

    rating: Literal[-1, 1] = Field(description="1: it helped; -1: it did not")
    incident_id: IncidentId | None = Field(default=None, description="Of this incident")
    lookback_minutes: Annotated[int, Field(ge=LEAST_LOOKBACK, le=MOST_LOOKBACK)] | None = Field(
        default=None, description="Of what `GET /insights` said of so many minutes", examples=[60]
    )
    correction: Annotated[str, Field(max_length=MOST_CORRECTION, pattern=_NO_NUL)] = Field(
        default="",
        description="What was the cause, in your words; shown with similar incidents",
        examples=["Root cause was actually a deploy"],
    )
    service: Annotated[str, Field(max_length=MOST_SERVICE, pattern=_NO_NUL)] = Field(
        default="", description="Where the cause was", examples=["checkout"]
    )
    kind: FaultKind | None = Field(default=None, description="What it was", examples=["bad_release"])

    def given(self) -> GivenFeedback:
        """Return what is kept of it."""
        return GivenFeedback(
            rating=self.rating,
            incident_id=self.incident_id,
            lookback_minutes=self.lookback_minutes,
            correction=self.correction.strip(),
            service=self.service.strip(),
            kind=self.kind.value if self.kind else "",
        )


class FeedbackShown(BaseModel):
    """What a user said of an insight."""

    id: int
    rating: Literal[-1, 1] = Field(description="1: it helped; -1: it did not")
    incident_id: str | None
    lookback_minutes: int | None
    correction: str
    service: str
    kind: str
    created_at: datetime

    @classmethod
    def of(cls, shown: ShownFeedback) -> "FeedbackShown":
        """Return it as it is told."""
        given = shown.given
        return cls.model_validate(
            {
                "id": shown.id,
                "rating": given.rating,
                "incident_id": given.incident_id,
                "lookback_minutes": given.lookback_minutes,
                "correction": given.correction,
                "service": given.service,
                "kind": given.kind,
                "created_at": shown.created_at,
            }
        )


class FeedbackPage(BaseModel):
    """What users said of insights, the latest first."""

    feedback: list[FeedbackShown]
    next_cursor: str | None = Field(description="For the page after this one; null: there is none")
