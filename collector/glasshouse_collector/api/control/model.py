"""Projects and keys as the API takes and tells them."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from glasshouse_collector.api.wrong_fields import asks_for
from glasshouse_collector.control import KeySettings, ShownKey, ShownProject
from glasshouse_collector.core.access import Scope

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2199
_MOST_RATE: Final = (1 << 31) - 1
_MOST_VOLUME: Final = (1 << 63) - 1
_KEY_EXAMPLE: Final = "gh_Ab3dE5gH_dGhpcyBpcyBub3QgYSBrZXkgYnV0IGFuIGV4YW1wbGU"
_DAY_SECONDS: Final = 86_400
_MOST_OVERLAP: Final = 90 * _DAY_SECONDS

Line = Annotated[str, Field(max_length=500, pattern=asks_for("a text without NUL", r"^[^\x00]*$"))]
ProjectId = Annotated[
    str,
    Path(
        pattern=asks_for("a project's id, of a-z, 0-9 and dashes,", r"^(_self|[a-z0-9][a-z0-9-]{0,62})$"),
        description="A project's id: a-z, 0-9 and dashes.",
        examples=["shop"],
    ),
]
KeyPrefix = Annotated[
    str,
    Path(
        pattern=asks_for("a key's beginning, such as gh_Ab3dE5gH,", r"^gh_[A-Za-z0-9]{8}$"),
        description="What a key is recognised by: its beginning, never the whole key.",
        examples=["gh_Ab3dE5gH"],
    ),
]


def _to_come(moment: datetime) -> datetime:
    """Return the time in UTC, where it can be one; that it is to come, who makes the key checks."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"a year up to {_LAST_YEAR} is expected; leave it out for no end")
    return moment.astimezone(UTC)


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProjectToMake(_Asked):
    """A project to be made."""

    name: Line = Field(min_length=1, description="For people.", examples=["My Service"])
    description: Line = Field(default="", examples=["Production backend"])
    project_id: str | None = Field(
        default=None,
        description="What stands with its records, for ever; made of the name where it is left out.",
        examples=["my-service"],
    )


class KeyToMake(_Asked):
    """A key to be made."""

    name: Line = Field(default="", description="For people: who uses it.", examples=["checkout"])
    scopes: list[Scope] = Field(
        default=[Scope.INGEST, Scope.READ],
        min_length=1,
        max_length=len(Scope),
        description="`ingest`: send; `read`: ask; `admin`: both, and manage the project's keys.",
    )
    expires_at: Annotated[AwareDatetime, AfterValidator(_to_come)] | None = Field(
        default=None,
        description="RFC 3339; without it the key does not end.",
        examples=["2030-01-01T00:00:00Z"],
    )
    records_per_second: int | None = Field(
        default=None, ge=1, le=_MOST_RATE, description="The most it may send.", examples=[1000]
    )
    bytes_per_day: int | None = Field(
        default=None,
        ge=1,
        le=_MOST_VOLUME,
        description="The most it may send on a day of UTC, uncompressed.",
        examples=[5_000_000_000],
    )

    def settings(self) -> KeySettings:
        """Return what a key is made of."""
        return KeySettings(
            name=self.name,
            scopes=frozenset(self.scopes),
            expires_at=self.expires_at,
            records_per_second=self.records_per_second,
            bytes_per_day=self.bytes_per_day,
        )


class Rotation(_Asked):
    """How a key is replaced."""

    overlap_seconds: int = Field(
        default=_DAY_SECONDS, ge=0, le=_MOST_OVERLAP, description="How long the old key goes on working."
    )


class ProjectAnswer(BaseModel):
    """A project."""

    project_id: str = Field(examples=["my-service"])
    name: str = Field(examples=["My Service"])
    description: str
    created_at: datetime

    @classmethod
    def of(cls, project: ShownProject) -> "ProjectAnswer":
        """Return a project as it is told."""
        return cls(
            project_id=project.id,
            name=project.name,
            description=project.description,
            created_at=project.created_at,
        )


class ProjectList(BaseModel):
    """Projects, the oldest first."""

    projects: list[ProjectAnswer]


class KeyAnswer(BaseModel):
    """A key, never with its secret."""

    prefix: str = Field(description="What it is recognised by.", examples=["gh_Ab3dE5gH"])
    project_id: str
    name: str
    scopes: list[Scope]
    state: Literal["active", "revoked", "expired"] = Field(description="Whether it opens anything now.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = Field(description="When it was, or will be, revoked.")
    last_used_at: datetime | None = Field(description="Some seconds late.")
    records_per_second: int | None
    bytes_per_day: int | None

    @classmethod
    def of(cls, key: ShownKey) -> "KeyAnswer":
        """Return a key as it is told."""
        return cls.model_validate(_told(key))


class KeyList(BaseModel):
    """Keys, the oldest first; those that ended too."""

    keys: list[KeyAnswer]


class CreatedKey(KeyAnswer):
    """A new key, with its secret: the only time that it is told."""

    api_key: str = Field(
        description="The key itself. Keep it: nobody can show it again.", examples=[_KEY_EXAMPLE]
    )
    note: str | None = Field(default=None, description="What has changed with it.")

    @classmethod
    def made(cls, secret: str, key: ShownKey, note: str | None = None) -> "CreatedKey":
        """Return a new key as it is told once."""
        return cls.model_validate({**_told(key), "api_key": secret, "note": note})


class CreatedProject(ProjectAnswer):
    """A new project, with its first key: the only time that it is told."""

    api_key: str = Field(
        description="A key to send and to ask. Keep it: nobody can show it again.", examples=[_KEY_EXAMPLE]
    )
    note: str | None = Field(default=None, description="What has changed with it.")


class DayAnswer(BaseModel):
    """What a key sent on one day."""

    day: str = Field(description="Of UTC.", examples=["2026-03-01"])
    records: int
    bytes: int = Field(description="Of protobuf, uncompressed.")


class KeyDetails(KeyAnswer):
    """A key and what it sent."""

    usage: list[DayAnswer] = Field(
        description="The last 31 days on which it sent anything, the latest first."
    )


def _told(key: ShownKey) -> dict[str, object]:
    settings, now = key.settings, datetime.now(UTC)
    revoked = key.revoked_at is not None and key.revoked_at <= now
    return {
        "prefix": key.prefix,
        "project_id": key.project_id,
        "name": settings.name,
        "scopes": sorted(settings.scopes),
        "state": "active" if key.opens_at(now) else "revoked" if revoked else "expired",
        "created_at": key.created_at,
        "expires_at": settings.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "records_per_second": settings.records_per_second,
        "bytes_per_day": settings.bytes_per_day,
    }


def key_details(key: ShownKey, usage: list[DayAnswer]) -> KeyDetails:
    """Return a key with what it sent."""
    return KeyDetails.model_validate({**_told(key), "usage": usage})
