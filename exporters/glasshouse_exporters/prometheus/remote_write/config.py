"""What a user sets of remote write."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from glasshouse_collector.core.components import ComponentConfig
from glasshouse_exporters.prometheus.labels import label_name

_OURS = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "x-prometheus-remote-write-version",
    }
)


class BasicAuthConfig(ComponentConfig):
    """A name and a password, or the file that has it."""

    username: str = Field(min_length=1)
    password: SecretStr | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("one of password and password_file is needed")
        return self


class RemoteWriteConfig(ComponentConfig):
    """Where series are pushed to, how often, and as whom."""

    url: str = Field(description="such as https://prometheus.example.com/api/v1/write")
    headers: dict[str, SecretStr] = Field({}, description="such as X-Scope-OrgID: tenant")
    bearer_token_file: Path | None = Field(None, description="read anew for each push")
    basic_auth: BasicAuthConfig | None = None
    ca_file: Path | None = Field(None, description="whom to trust instead of the system's authorities")
    labels: dict[str, str] = Field(
        {"job": "glasshouse"}, description="for series that lack them; instance is this machine if not named"
    )
    interval_seconds: float = Field(15.0, ge=0.1, le=3600, description="from push to push")
    timeout_seconds: float = Field(10.0, gt=0, le=600, description="for one request")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is no address; one looks like https://prometheus.example.com/api/v1/write")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not hold a user or password; set basic_auth instead")
        return url

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if name.lower() in _OURS:
                raise ValueError(
                    f"{name} is set by remote write itself; see bearer_token_file and basic_auth"
                )
            text = name + value.get_secret_value()
            if not name or not text.isascii() or not text.isprintable():
                raise ValueError(f"{name!r} has a name or value that no header can have; ASCII text can be")
        return headers

    @field_validator("labels")
    @classmethod
    def _are_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if label_name(name) != name:
                raise ValueError(f"{name!r} is no label name; {label_name(name)!r} would be one")
        return labels

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.bearer_token_file is not None and self.basic_auth is not None:
            raise ValueError("one of bearer_token_file and basic_auth is possible, not both")
        return self
