"""Every setting of the SDK: the argument of `configure`, the variables, the default, and what it does."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

MASK = "**********"
LogFormat = Literal["auto", "json", "pretty", "off"]
Parse = Callable[[str], Any]


class SettingsError(ValueError):
    """A setting is wrong: the message names it, says what is wrong, and what would be right."""


def _text(written: str) -> str:
    return written


def _flag(written: str) -> bool:
    known = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    try:
        return known[written.strip().lower()]
    except KeyError:
        raise ValueError("should be true or false") from None


def _whole(written: str) -> int:
    try:
        return int(written)
    except ValueError:
        raise ValueError("should be a whole number") from None


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        raise ValueError("should be a number") from None


def _levels(written: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in written.split(",") if pair.strip())
    return {name.strip(): level.strip() for name, _, level in pairs}


def setting(default: Any, doc: str, *variables: str, parse: Parse = _text, secret: bool = False) -> Any:
    """Declare one row of the table. The first of `variables` that is set counts; an argument beats them."""
    about = {"doc": doc, "variables": variables, "parse": parse, "secret": secret}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=about)
    return field(default=default, metadata=about)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `glasshouse.configure` was told, by argument or by variable."""

    service_name: str | None = setting(
        None, "name of this service (`service.name`)", "OTEL_SERVICE_NAME", "GLASSHOUSE_SERVICE_NAME"
    )
    environment: str | None = setting(
        None, "where it runs, as `production` (`deployment.environment.name`)", "GLASSHOUSE_ENVIRONMENT"
    )
    release: str | None = setting(None, "its version (`service.version`)", "GLASSHOUSE_RELEASE")
    endpoint: str | None = setting(
        None,
        "where to send, an OTLP/HTTP base URL; unset: http://localhost:4318",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "GLASSHOUSE_ENDPOINT",
    )
    api_key: str | None = setting(
        None, "sent as `Authorization: Bearer …` with everything", "GLASSHOUSE_API_KEY", secret=True
    )
    disabled: bool = setting(False, "send nothing at all", "OTEL_SDK_DISABLED", parse=_flag)
    spool_dir: Path | None = setting(
        None,
        "where batches wait while the collector is away; unset: a folder of the user's state",
        "GLASSHOUSE_SPOOL_DIR",
        parse=Path,
    )
    spool_bytes: int = setting(
        256 << 20, "how much may wait there; the oldest goes first; 0: nothing is kept on disk",
        "GLASSHOUSE_SPOOL_BYTES", parse=_whole,
    )  # fmt: skip
    capture_logging: bool = setting(
        True, "export what the application logs through `logging`", "GLASSHOUSE_CAPTURE_LOGGING", parse=_flag
    )
    log_level: str = setting("INFO", "lowest level that is logged and exported", "GLASSHOUSE_LOG_LEVEL")
    log_levels: Mapping[str, str] = setting(
        {},
        "levels by logger, as `urllib3=WARNING,sqlalchemy.engine=ERROR`",
        "GLASSHOUSE_LOG_LEVELS",
        parse=_levels,
    )
    log_format: LogFormat = setting(
        "auto",
        "of the console: json, pretty, off; auto: pretty on a terminal, else json",
        "GLASSHOUSE_LOG_FORMAT",
    )
    log_file: Path | None = setting(None, "also log there, as JSON lines", "GLASSHOUSE_LOG_FILE", parse=Path)
    log_file_bytes: int = setting(
        32 << 20, "size at which that file is rotated", "GLASSHOUSE_LOG_FILE_BYTES", parse=_whole
    )
    log_file_count: int = setting(5, "rotated files that are kept", "GLASSHOUSE_LOG_FILE_COUNT", parse=_whole)
    excepthook: bool = setting(
        True, "capture what no code catches, in any thread or task", "GLASSHOUSE_EXCEPTHOOK", parse=_flag
    )
    breadcrumbs: int = setting(
        20, "log records attached to a captured error; 0: none", "GLASSHOUSE_BREADCRUMBS", parse=_whole
    )
    slow_request_seconds: float = setting(
        5.0, "a request that takes longer is marked and counted; 0: none", "GLASSHOUSE_SLOW_REQUEST_SECONDS",
        parse=_number,
    )  # fmt: skip
    heartbeat_seconds: float = setting(
        0.0, "interval of the heartbeat; 0: none", "GLASSHOUSE_HEARTBEAT_SECONDS", parse=_number
    )
    prometheus: bool = setting(
        False,
        "also offer the metrics to Prometheus; see `glasshouse.metrics`",
        "GLASSHOUSE_PROMETHEUS",
        parse=_flag,
    )
    sentry_dsn: str | None = setting(None, "also report errors to Sentry", "SENTRY_DSN", secret=True)
    sentry_traces_sample_rate: float = setting(
        0.0, "share of traces that Sentry gets", "SENTRY_TRACES_SAMPLE_RATE", parse=_number
    )
    sentry_profiles_sample_rate: float = setting(
        0.0, "share of them that are profiled", "SENTRY_PROFILES_SAMPLE_RATE", parse=_number
    )


def load(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings: arguments that are not None, then variables, then defaults; or `SettingsError`."""
    known = {row.name: row for row in fields(Settings)}
    for name in arguments:
        if name not in known:
            raise SettingsError(f"configure() has no setting {name!r}; it has: {', '.join(known)}")
    values = {name: value for name, value in arguments.items() if value is not None}
    for name, row in known.items():
        variable = next((each for each in row.metadata["variables"] if environ.get(each)), None)
        if name not in values and variable:
            try:
                values[name] = row.metadata["parse"](environ[variable])
            except ValueError as wrong:
                raise SettingsError(f"{variable}: {wrong}, not {environ[variable]!r}") from None
    settings = Settings(**values)
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    if settings.log_format not in get_args(LogFormat):
        raise SettingsError(
            f"log_format: should be one of {', '.join(get_args(LogFormat))}, not {settings.log_format!r}"
        )
