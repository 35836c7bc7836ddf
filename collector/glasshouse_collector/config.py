"""What a user sets: by command line, `GLASSHOUSE_…` variables, and a YAML file, in that order."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from glasshouse.settings import Settings as SdkSettings
from glasshouse_collector.codec import MOST_BYTES
from glasshouse_collector.core.errors import ConfigurationError, StoreError
from glasshouse_collector.core.registry import Group, configure, describe
from glasshouse_collector.core.tls import TlsConfig
from glasshouse_collector.store import locate

MASK = "**********"
_PREFIX = "GLASSHOUSE_"
_GROUPS = ("receivers", "exporters", "extensions")
_ALERTS = "GLASSHOUSE_ALERT_"
_CLIENT = "GLASSHOUSE_API_URL"  # of glasshouse.client
_DEFAULT_PROCESSORS: list[dict[str, dict[str, Any]]] = [{"limit": {}}, {"redact": {}}]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JournalSection(_Section):
    """The durable queue."""

    durability: Literal["fsync", "os"] = Field(
        "fsync", description="fsync: acknowledged data survives a power cut; os: it survives a crash of ours"
    )
    max_bytes: ByteSize = Field(
        ByteSize(8 << 30), ge=1 << 20, description="when full, senders are told to wait"
    )
    segment_bytes: ByteSize = Field(
        ByteSize(128 << 20), ge=1 << 16, description="size of one file of the journal"
    )


class Retention(_Section):
    """How long records stay, by signal; unset means for ever. Written as `30d`, `12h`, or ISO 8601."""

    traces: timedelta | None = None
    logs: timedelta | None = None
    metrics: timedelta | None = None
    alerts: timedelta | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        units = {"h": "hours", "d": "days", "w": "weeks"}
        if isinstance(value, str) and value[:-1].isdigit() and value[-1] in units:
            return timedelta(**{units[value[-1]]: int(value[:-1])})
        return value

    @field_validator("*")
    @classmethod
    def _at_least_an_hour(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value < timedelta(hours=1):
            raise ValueError("at least one hour, for example 12h, 30d or 8w")
        return value


class StorageSection(_Section):
    """Where records are kept."""

    dsn: str | None = Field(
        None, description="clickhouse://user:password@host:8123/database; unset: embedded, in the data folder"
    )
    cluster: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_\-]*$", description="ClickHouse cluster")
    retention: Retention = Retention()

    @field_validator("dsn")
    @classmethod
    def _names_a_store(cls, dsn: str | None) -> str | None:
        if dsn is not None:
            try:
                locate(dsn)
            except StoreError as wrong:
                raise ValueError(str(wrong).removeprefix("storage.dsn: ")) from None
        return dsn


class ControlSection(_Section):
    """Where projects and keys are kept."""

    url: SecretStr | None = Field(
        None,
        description="postgresql+psycopg://user:password@host/database; unset: SQLite, in the data folder",
    )
    refresh_seconds: float = Field(
        5, ge=0.1, le=300, description="after this time keys are read again, and what they sent is written"
    )


class BatchingSection(_Section):
    """How much is delivered at once."""

    max_records: int = Field(131_072, ge=1, description="records of one run")
    max_bytes: ByteSize = Field(
        ByteSize(64 << 20), ge=1 << 10, le=MOST_BYTES, description="OTLP bytes of one run"
    )
    linger_seconds: float = Field(0.4, ge=0, le=60, description="how long a run waits to grow")


class ApiSection(_Section):
    """Limits of the query API."""

    query_seconds: float = Field(30, gt=0, description="time of one query")
    query_rows: int = Field(100_000, ge=1, description="rows of one answer")
    query_memory: ByteSize = Field(ByteSize(2 << 30), ge=1 << 20, description="memory of one query")
    query_concurrency: int = Field(4, ge=1, le=256, description="queries at once; one more waits")
    query_concurrency_per_key: int = Field(3, ge=1, le=256, description="queries of one key at once")
    slow_query_seconds: float = Field(5, gt=0, description="a query that takes as long is logged")


class _Components(PydanticBaseSettingsSource):
    """The components that run by default, where a variable sets something within one and none are chosen.

    `GLASSHOUSE_EXPORTERS__PROMETHEUS__MAX_SERIES=1000` changes one exporter and leaves the other on.
    """

    def __init__(self, settings_cls: type[BaseSettings], chosen: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._chosen = chosen

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return a field's default where it is to be merged, else None."""
        group = field_name in _GROUPS and field_name not in self._chosen
        return (
            (field.get_default() if group and f"{_PREFIX}{field_name.upper()}" not in os.environ else None),
            field_name,
            True,
        )

    def __call__(self) -> dict[str, Any]:
        """Return the defaults to be merged."""
        found = {
            name: self.get_field_value(self.settings_cls.model_fields[name], name)[0] for name in _GROUPS
        }
        return {name: default for name, default in found.items() if default is not None}


class Settings(BaseSettings):
    """Every setting of `glasshouse serve`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        yaml_file_encoding="utf-8",
    )

    data_dir: Path = Field(Path("glasshouse-data"), description="where everything is kept")
    host: str = Field("127.0.0.1", description="address that everything listens on")
    grpc_port: int = Field(4317, ge=0, le=65535, description="OTLP/gRPC; 0: any free port")
    http_port: int = Field(4318, ge=0, le=65535, description="OTLP/HTTP; 0: any free port")
    port: int = Field(8000, ge=0, le=65535, description="API and /metrics; 0: any free port")
    auth_token: SecretStr | None = Field(None, description="the operator's: who sends it may do everything")
    tls: TlsConfig | None = Field(None, description="certificate and key that every door shows; unset: none")
    insecure: bool = Field(False, description="serve other machines without TLS")
    max_request_bytes: ByteSize = Field(
        ByteSize(64 << 20),
        ge=1 << 10,
        le=MOST_BYTES,
        description="size of one request, before and after decompression",
    )
    shutdown_seconds: float = Field(10, ge=0, description="time to finish what was accepted")
    self_watch: bool = Field(True, description="keep the collector's own telemetry, as project _self")
    journal: JournalSection = JournalSection()
    storage: StorageSection = StorageSection()
    control: ControlSection = ControlSection()
    batching: BatchingSection = BatchingSection()
    api: ApiSection = ApiSection()
    receivers: dict[str, dict[str, Any]] = Field({"otlp_grpc": {}, "otlp_http": {}}, description="by name")
    processors: list[dict[str, dict[str, Any]]] = Field(
        _DEFAULT_PROCESSORS, description="one name each, in the order they run"
    )
    exporters: dict[str, dict[str, Any]] = Field(
        {"clickhouse": {}, "prometheus": {}}, description="by name; the others follow the first"
    )
    extensions: dict[str, dict[str, Any]] = Field(
        {"alerts": {}, "certificates": {}, "insights": {}}, description="by name"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the command line win over the environment, and that over the file."""
        del dotenv_settings, file_secret_settings
        file = YamlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, file, _Components(settings_cls, file())

    @field_validator("processors")
    @classmethod
    def _one_name_each(cls, processors: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if any(len(processor) != 1 for processor in processors):
            raise ValueError(
                "each should be one name with its settings, for example - limit: {max_attributes: 64}"
            )
        return processors

    @model_validator(mode="after")
    def _ports_of_their_own(self) -> Self:
        ports = {"grpc_port": self.grpc_port, "http_port": self.http_port, "port": self.port}
        for name, port in ports.items():
            same = [other for other, number in ports.items() if number == port and other != name]
            if port and same:
                raise ValueError(f"{name} and {same[0]} are both {port}; each needs a port of its own")
        return self

    @property
    def dsn(self) -> str:
        """The store's address, the embedded one included."""
        return self.storage.dsn or f"chdb://{(self.data_dir / 'store').resolve()}"

    @property
    def control_url(self) -> str:
        """The address of the database of projects and keys, the one in the data folder included."""
        url = self.control.url
        return url.get_secret_value() if url else f"sqlite:///{(self.data_dir / 'control.db').resolve()}"

    @property
    def reachable_hosts(self) -> list[tuple[str, bool]]:
        """The addresses that other machines can reach, of those listened on; and whether by TLS alone."""
        doors = [{"host": self.host, "tls": self.tls}]
        doors += [config for group, _, config in self.written() if group == "receivers"]
        listened = [(str(door.get("host", self.host)), door.get("tls") is not None) for door in doors]
        return [(host, by_tls) for host, by_tls in listened if not is_loopback(host)]

    def written(self) -> list[tuple[Group, str, dict[str, Any]]]:
        """Return what is written for each component, the service's own addresses filled in."""
        at = {
            "host": self.host,
            "max_request_bytes": int(self.max_request_bytes),
            "shutdown_seconds": self.shutdown_seconds,
            "tls": self.tls,
        }
        known = {"otlp_grpc": at | {"port": self.grpc_port}, "otlp_http": at | {"port": self.http_port}}
        written: list[tuple[Group, str, dict[str, Any]]] = [
            ("receivers", name, known.get(name, {}) | config) for name, config in self.receivers.items()
        ]
        for processor in self.processors:
            written += [("processors", name, config) for name, config in processor.items()]
        written += [("exporters", name, config) for name, config in self.exporters.items()]
        return written + [("extensions", name, config) for name, config in self.extensions.items()]


def load(config: Path | None, overrides: dict[str, Any]) -> Settings:
    """Read the settings and each component's; `ConfigurationError` names what is wrong, a line each.

    `overrides` are the command line's, nested as the settings are; None means not given.
    """
    path = config or (Path(os.environ["GLASSHOUSE_CONFIG"]) if "GLASSHOUSE_CONFIG" in os.environ else None)
    if path is not None and not path.is_file():
        raise ConfigurationError(f"--config: there is no file {path}")

    class _FromFile(Settings):
        model_config = SettingsConfigDict(yaml_file=path)

    try:
        settings = _FromFile(**_given(overrides))
    except ValidationError as invalid:
        raise ConfigurationError(describe(invalid)) from None
    except (SettingsError, yaml.YAMLError, UnicodeDecodeError) as unreadable:
        raise ConfigurationError(f"{path or 'environment'}: {' '.join(str(unreadable).split())}") from None
    except (TypeError, ValueError):
        raise ConfigurationError(f"{path}: settings by name are expected, such as port: 8000") from None
    for group, name, written in settings.written():
        configure(group, name, written)
    return settings


def _given(overrides: dict[str, Any]) -> dict[str, Any]:
    nested = {key: _given(value) if isinstance(value, dict) else value for key, value in overrides.items()}
    return {key: value for key, value in nested.items() if value is not None and value != {}}


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the `GLASSHOUSE_…` variables that set nothing: neither here, nor elsewhere in Glasshouse."""
    sdk = {name for each in fields(SdkSettings) for name in each.metadata["variables"]}
    known = {"GLASSHOUSE_CONFIG", _CLIENT, *sdk}
    return sorted(
        name
        for name in environ
        if name.startswith(_PREFIX)
        and name not in known
        and not name.startswith(_ALERTS)
        and name.removeprefix(_PREFIX).partition("__")[0].lower() not in Settings.model_fields
    )


def effective(settings: Settings) -> str:
    """Return the settings in force as YAML, every component's defaults filled in, secrets masked."""
    shown = settings.model_dump(mode="json", exclude={"receivers", "processors", "exporters", "extensions"})
    shown["storage"]["dsn"] = without_password(settings.dsn)
    shown["control"]["url"] = without_password(settings.control_url)
    groups: dict[str, Any] = {"receivers": {}, "processors": [], "exporters": {}, "extensions": {}}
    for group, name, written in settings.written():
        dumped = configure(group, name, written).model_dump(mode="json")
        if group == "processors":
            groups[group].append({name: dumped})
        else:
            groups[group][name] = dumped
    return yaml.safe_dump(shown | groups, sort_keys=False, allow_unicode=True)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def without_password(dsn: str) -> str:
    """Return the address with its password masked."""
    parts = urlsplit(dsn)
    if not parts.password:
        return dsn
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{host}"))
