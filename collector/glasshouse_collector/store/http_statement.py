"""One request to ClickHouse's HTTP interface: which statement, with which settings and parameters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TRANSPORT = frozenset(
    {"query", "database", "default_format", "query_id", "session_id", "session_timeout", "session_check"}
    | {"user", "password", "quota_key", "role", "compress", "decompress", "wait_end_of_query", "buffer_size"}
    | {"client_protocol_version", "enable_http_compression", "http_zlib_compression_level"}
    | {"send_progress_in_http_headers", "http_headers_progress_interval_ms", "stacktrace", "close_session"}
    | {"http_write_exception_in_output_format", "cancel_http_readonly_queries_on_client_close"}
)
_SETTING = re.compile(r"[a-z][a-z0-9_]*")
_READER_MAY_SET = re.compile(
    r"(?:output_format|input_format|format|date_time|bool|join|cast|union|group_by|count)_\w+"
    r"|session_timezone|max_block_size|log_comment|log_queries|limit|offset|extremes|final|use_\w+_cache"
    r"|prefer_column_name_to_alias|http_\w+|optimize_\w+|enable_\w+optimization\w*|allow_experimental_analyzer"
    r"|param_\w+|max_rows_to_\w+|max_bytes_to_\w+|result_overflow_mode|timeout_\w+|skip_unavailable_shards"
)
"""What changes how an answer looks, not what may be done or how much may be used."""
_CAPPED = frozenset(
    {"max_execution_time", "max_result_rows", "max_result_bytes", "max_memory_usage", "max_threads"}
)

_INSERT = re.compile(rb"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*INSERT\s+INTO\b", re.IGNORECASE | re.DOTALL)
_INSERT_FORMAT = re.compile(
    rb"\A(?P<head>\s*INSERT\s+INTO\s+(?:[^'()]|'(?:[^'\\]|\\.)*'|\([^()]*\))*?)\s*"
    rb"\bFORMAT\s+(?P<format>\w+)[ \t]*(?:\r?\n|;|\Z|(?=\s))",
    re.IGNORECASE | re.DOTALL,
)
_OTHER_INSERT = re.compile(rb"\b(?:VALUES|SELECT|WITH|FROM\s+INFILE)\b", re.IGNORECASE)


class NotAllowed(Exception):
    """A setting that this request may not change."""


@dataclass(frozen=True, slots=True)
class Insert:
    """The statement of an insert without its FORMAT clause, that format, and the first of its data."""

    head: str
    format: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """The query string of one request, sorted out."""

    query: str
    database: str
    default_format: str
    query_id: str
    protocol: int
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


def asked(query: Mapping[str, str], headers: Mapping[str, str], query_id: str) -> Asked:
    """Sort out the query string; raises `NotAllowed` for a name that is no setting's."""
    settings, parameters = {}, {}
    for name, value in query.items():
        if name.startswith("param_"):
            parameters[name.removeprefix("param_")] = value
        elif name not in _TRANSPORT:
            if not _SETTING.fullmatch(name):
                raise NotAllowed(f"{name[:60]!r} is no setting")
            settings[name] = value
    protocol = query.get("client_protocol_version", "0")
    return Asked(
        query=query.get("query", ""),
        database=query.get("database") or headers.get("x-clickhouse-database", ""),
        default_format=query.get("default_format") or headers.get("x-clickhouse-format", "TabSeparated"),
        query_id=query.get("query_id") or query_id,
        protocol=int(protocol) if protocol.isdigit() else 0,
        settings=settings,
        parameters=parameters,
    )


def settings_of_reader(settings: Mapping[str, str], limits: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return the settings that a reader's query runs with: its own, but never above the limits."""
    chosen: dict[str, str | int] = dict(limits)
    for name, value in settings.items():
        if name in _CAPPED:
            limit = float(limits.get(name, "inf"))
            chosen[name] = value if _is_within(value, limit) else str(limits.get(name, value))
        elif _READER_MAY_SET.fullmatch(name) and name not in limits:
            chosen[name] = value
        elif name not in limits and name != "readonly":
            raise NotAllowed(f"Cannot modify '{name}' setting in readonly mode")
    return chosen


def _is_within(value: str, limit: float) -> bool:
    try:
        return 0 < float(value) <= limit  # nought means no limit
    except ValueError:
        return False


def is_insert(statement: bytes) -> bool:
    """Say whether a statement is an insert."""
    return bool(_INSERT.match(statement))


def insert_with_data(statement: bytes) -> Insert | None:
    """Take an `INSERT … FORMAT f <data>` apart; None for an insert whose data are SQL."""
    found = _INSERT_FORMAT.match(statement)
    if not found or _OTHER_INSERT.search(re.sub(rb"\([^()]*\)", b"", found["head"])):
        return None
    return Insert(found["head"].decode(), found["format"].decode(), statement[found.end() :])
