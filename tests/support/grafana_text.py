"""A query's text as Grafana and its ClickHouse plugin fill it in before they send it."""

import re
from collections.abc import Callable, Mapping

ALL = "$__all"
INTERVAL_SECONDS = 15
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")
_MACRO = re.compile(r"\$__(conditionalAll|timeFilter|timeInterval)\(")
_BUILT_IN = {"__rate_interval": "15s", "__interval": "15s", "__range": "10m"}


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return PromQL with variables replaced; `ALL` stands for the variable's own `.*`."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        if name in _BUILT_IN:
            return _BUILT_IN[name]
        return ".*" if values[name] == ALL else values[name]

    return _VARIABLE.sub(value, text)


def filled_sql(text: str, values: Mapping[str, str], since: int, until: int) -> str:
    """Return SQL with the plugin's macros and then the variables replaced; times in seconds since 1970."""
    macros: dict[str, Callable[[str], str]] = {
        "conditionalAll": lambda given: _conditional(given, values),
        "timeFilter": lambda column: f"{column} >= toDateTime({since}) AND {column} <= toDateTime({until})",
        "timeInterval": lambda column: (
            f"toStartOfInterval(toDateTime({column}), INTERVAL {INTERVAL_SECONDS} second)"
        ),
    }
    while found := _MACRO.search(text):
        end = _closing(text, found.end())
        text = text[: found.start()] + macros[found[1]](text[found.end() : end]) + text[end + 1 :]
    text = text.replace("$__interval_s", str(INTERVAL_SECONDS))
    return _VARIABLE.sub(lambda found: _formatted(values[found[1] or found[3]], found[2]), text)


def _conditional(given: str, values: Mapping[str, str]) -> str:
    condition, _, variable = given.rpartition(",")
    return "1=1" if values[variable.strip().removeprefix("$")] == ALL else condition


def _formatted(value: str, form: str | None) -> str:
    match form:
        case "sqlstring":
            return "'" + value.replace("'", "''") + "'"
        case "pipe":
            return ".*" if value == ALL else value
        case _:
            return value


def _closing(text: str, at: int) -> int:
    depth = 1
    while True:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
        at += 1
