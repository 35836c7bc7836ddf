"""Every setting of the SDK: the argument of `configure`, the variables, the default, and what it does."""

import logging
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict, get_args
from urllib.parse import unquote, urlsplit

MASK = "**********"
LogFormat = Literal["auto", "json", "pretty", "off"]
Protocol = Literal["http/protobuf", "grpc"]
Parse = Callable[[str], Any]

RIGHT_DSN = "should be the DSN of a Sentry project, as https://key@sentry.example/1"
_RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"


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


def _specified_flag(written: str) -> bool:
    # The specification: "true" in any case is true, anything else is false.
    return written.strip().lower() == "true"


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


def _pairs(written: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in written.split(",") if pair.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise ValueError("should be pairs, as `name=value,name=value`")
    return {name.strip(): value.strip() for name, _, value in pairs}


_ACCEPTED: Mapping[Parse, tuple[type, ...]] = {
    _text: (str,),
    _flag: (bool,),
    _specified_flag: (bool,),
    _whole: (int,),
    _number: (float, int),
    _pairs: (Mapping,),
    Path: (Path,),
}


def setting(default: Any, doc: str, *variables: str, parse: Parse = _text, secret: bool = False) -> Any:
    """Declare one row of the table. The first of `variables` that is set counts; an argument beats them.

    A variable may be one attribute of another: `OTEL_RESOURCE_ATTRIBUTES[service.version]`.
    """
    about = {"doc": doc, "variables": variables, "parse": parse, "secret": secret}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=about)
    return field(default=default, metadata=about, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `glasshouse.configure` was told, by argument or by variable."""

    service_name: str | None = setting(
        None, "name of this service (`service.name`)",
        "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES[service.name]", "GLASSHOUSE_SERVICE_NAME",
    )  # fmt: skip
    environment: str | None = setting(
        None, "where it runs, as `production` (`deployment.environment.name`)",
        "OTEL_RESOURCE_ATTRIBUTES[deployment.environment.name]", "GLASSHOUSE_ENVIRONMENT",
    )  # fmt: skip
    release: str | None = setting(
        None, "its version (`service.version`)",
        "OTEL_RESOURCE_ATTRIBUTES[service.version]", "GLASSHOUSE_RELEASE",
    )  # fmt: skip
    resource_attributes: Mapping[str, str] = setting(
        {}, "more attributes of the resource, beside those of OTEL_RESOURCE_ATTRIBUTES",
        "GLASSHOUSE_RESOURCE_ATTRIBUTES", parse=_pairs,
    )  # fmt: skip
    endpoint: str | None = setting(
        None, "where to send, an OTLP base URL; unset: http://localhost:4318",
        "OTEL_EXPORTER_OTLP_ENDPOINT", "GLASSHOUSE_ENDPOINT",
    )  # fmt: skip
    protocol: Protocol = setting(
        "http/protobuf", "of what is sent: http/protobuf, or grpc, which has no spool",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    )  # fmt: skip
    api_key: str | None = setting(
        None, "sent as `Authorization: Bearer …` with everything", "GLASSHOUSE_API_KEY", secret=True
    )
    disabled: bool = setting(
        False, "send nothing at all", "OTEL_SDK_DISABLED", parse=_specified_flag
    )  # fmt: skip
    instrument: bool = setting(
        True, "instrument the libraries whose instrumentations are installed", "GLASSHOUSE_INSTRUMENT",
        parse=_flag,
    )  # fmt: skip
    shutdown_seconds: float = setting(
        10.0, "longest time that the end of the process waits for telemetry", "GLASSHOUSE_SHUTDOWN_SECONDS",
        parse=_number,
    )  # fmt: skip
    spool_dir: Path | None = setting(
        None, "where batches wait while the collector is away; unset: a folder of the user's state",
        "GLASSHOUSE_SPOOL_DIR", parse=Path,
    )  # fmt: skip
    spool_bytes: int = setting(
        256 << 20, "how much may wait there; the oldest goes first; 0: nothing is kept on disk",
        "GLASSHOUSE_SPOOL_BYTES", parse=_whole,
    )  # fmt: skip
    capture_logging: bool = setting(
        True, "export what the application logs through `logging`", "GLASSHOUSE_CAPTURE_LOGGING", parse=_flag
    )
    log_level: str = setting("INFO", "lowest level that is logged and exported", "GLASSHOUSE_LOG_LEVEL")
    log_levels: Mapping[str, str] = setting(
        {}, "levels by logger, as `urllib3=WARNING,sqlalchemy.engine=ERROR`", "GLASSHOUSE_LOG_LEVELS",
        parse=_pairs,
    )  # fmt: skip
    log_format: LogFormat = setting(
        "auto", "of the console: json, pretty, off; auto: pretty on a terminal, else json",
        "GLASSHOUSE_LOG_FORMAT",
    )  # fmt: skip
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
        False, "also offer the metrics to Prometheus; see `glasshouse.metrics`", "GLASSHOUSE_PROMETHEUS",
        parse=_flag,
    )  # fmt: skip
    sentry_dsn: str | None = setting(None, "also report errors to Sentry", "SENTRY_DSN", secret=True)
    sentry_traces_sample_rate: float = setting(
        0.0, "share of traces that Sentry gets", "SENTRY_TRACES_SAMPLE_RATE", parse=_number
    )
    sentry_profiles_sample_rate: float = setting(
        0.0, "share of them that are profiled", "SENTRY_PROFILES_SAMPLE_RATE", parse=_number
    )


class Arguments(TypedDict, total=False):
    """What `configure` takes by keyword beside `service_name`; None counts as not given."""

    environment: str | None
    release: str | None
    resource_attributes: Mapping[str, str] | None
    endpoint: str | None
    protocol: Protocol | None
    api_key: str | None
    disabled: bool | None
    instrument: bool | None
    shutdown_seconds: float | None
    spool_dir: Path | str | None
    spool_bytes: int | None
    capture_logging: bool | None
    log_level: str | None
    log_levels: Mapping[str, str] | None
    log_format: LogFormat | None
    log_file: Path | str | None
    log_file_bytes: int | None
    log_file_count: int | None
    excepthook: bool | None
    breadcrumbs: int | None
    slow_request_seconds: float | None
    heartbeat_seconds: float | None
    prometheus: bool | None
    sentry_dsn: str | None
    sentry_traces_sample_rate: float | None
    sentry_profiles_sample_rate: float | None


class Row(NamedTuple):
    """One setting as it is in force: its value, and the argument, variable or default it came from."""

    name: str
    value: Any
    source: str
    variables: tuple[str, ...]
    doc: str
    secret: bool


def load(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings: arguments that are not None, then variables, then defaults; or `SettingsError`."""
    return Settings(**{row.name: row.value for row in table(arguments, environ)})


def table(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> list[Row]:
    """Return each setting and where its value came from; or `SettingsError`."""
    known = {each.name: each for each in fields(Settings)}
    for name in arguments:
        if name not in known:
            raise SettingsError(f"configure() has no setting {name!r}; it has: {', '.join(known)}")
    rows = [_row(each, arguments.get(name), environ) for name, each in known.items()]
    for row in rows:
        _check(row)
    return rows


def variable_value(variable: str, environ: Mapping[str, str]) -> str | None:
    """Return what a variable, or one attribute of OTEL_RESOURCE_ATTRIBUTES, says; empty counts as unset."""
    name, bracket, attribute = variable.partition("[")
    written = environ.get(name)
    if not written or not bracket:
        return written or None
    # Read as the OpenTelemetry SDK reads it: the last pair of a name counts, values are percent-encoded.
    pairs = (pair.partition("=") for pair in written.split(","))
    values = {key.strip(): unquote(value.strip()) for key, equals, value in pairs if equals}
    return values.get(attribute.rstrip("]")) or None


def _row(declared: Field[Any], argument: Any, environ: Mapping[str, str]) -> Row:
    about = declared.metadata
    value = declared.default if declared.default_factory is MISSING else declared.default_factory()
    source = "default"
    if argument is not None:
        value, source = _argument(declared.name, argument, about["parse"]), "argument"
    else:
        for variable in about["variables"]:
            if written := variable_value(variable, environ):
                value, source = _parsed(variable, written, about), variable
                break
    return Row(declared.name, value, source, about["variables"], about["doc"], about["secret"])


def _parsed(name: str, written: str, about: Mapping[str, Any]) -> Any:
    try:
        return about["parse"](written)
    except ValueError as wrong:
        raise SettingsError(f"{name}: {wrong}, not {written!r}") from None


def _argument(name: str, value: Any, parse: Parse) -> Any:
    accepted = _ACCEPTED[parse]
    if isinstance(value, str) and parse is Path:
        return Path(value)
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
        kinds = " or ".join(kind.__name__ for kind in accepted)
        raise SettingsError(f"{name}: should be of type {kinds}, not {type(value).__name__}")
    return value


def _check(row: Row) -> None:
    wrong = _wrong(row)
    if wrong:
        where = row.name if row.source in {"argument", "default"} else f"{row.source} ({row.name})"
        value = "" if row.secret else f", not {row.value!r}"
        raise SettingsError(f"{where}: {wrong}{value}")


def _wrong(row: Row) -> str | None:
    value = row.value
    if value is None:
        return None
    if row.name in _CHECKS:
        return _CHECKS[row.name](value)
    if isinstance(value, int | float) and not (value >= 0 and math.isfinite(value)):
        return "should be 0 or more"
    return None


def _wrong_share(value: float) -> str | None:
    return None if 0 <= value <= 1 else "should be from 0 to 1"


def _wrong_level(value: str) -> str | None:
    known = logging.getLevelNamesMapping()
    return None if value.upper() in known else f"should be one of {', '.join(known)}"


def _wrong_levels(value: Mapping[str, str]) -> str | None:
    return next(filter(None, map(_wrong_level, value.values())), None)


def _wrong_key(value: str) -> str | None:
    # It goes into a header.
    right = value.isascii() and value.isprintable() and " " not in value
    return None if right else "should be printable ASCII without spaces"


def _wrong_url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    return None if right else "should be a URL, as http://localhost:4318"


def _wrong_dsn(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        project = parts.path.rpartition("/")[2]
        right = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname and parts.username)
            and parts.port != 0
            and project.isdecimal()
        )
    except ValueError:
        right = False
    return None if right else RIGHT_DSN


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str | None]:
    return lambda value: None if value in choices else f"should be one of {', '.join(choices)}"


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "api_key": _wrong_key,
    "endpoint": _wrong_url,
    "log_format": _one_of(get_args(LogFormat)),
    "log_level": _wrong_level,
    "log_levels": _wrong_levels,
    "protocol": _one_of(get_args(Protocol)),
    "sentry_dsn": _wrong_dsn,
    "sentry_profiles_sample_rate": _wrong_share,
    "sentry_traces_sample_rate": _wrong_share,
}
