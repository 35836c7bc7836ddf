"""Files of Prometheus and Alertmanager with all durations divided: minutes of waiting become seconds."""

import re
from typing import Any

import yaml

_DURATION_KEYS = frozenset(
    {"evaluation_interval", "scrape_interval", "refresh_interval"}  # prometheus.yml
    | {"interval", "for", "keep_firing_for"}  # rules
    | {"group_wait", "group_interval", "repeat_interval", "resolve_timeout"}  # alertmanager.yml
)
_DAY = 86_400_000
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": _DAY, "w": 7 * _DAY, "y": 365 * _DAY}
"""Milliseconds."""
_SCRAPE_TIMEOUT = "scrape_timeout"
"""Left out, so that Prometheus takes the interval for it: a scrape takes as long as before."""
_DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_WHOLE = re.compile(_DURATION)
_IN_PROMQL = re.compile(
    rf"(?<=\[){_DURATION}(?=[\]:])|(?<=:){_DURATION}(?=\])|(?:(?<=\boffset )|(?<=\boffset -)){_DURATION}"
)


def hastened(text: str, speed: float) -> str:
    """Return a YAML file with every duration divided by `speed`; at 1 it is the very same text.

    In rules the ranges, subqueries and offsets of PromQL are divided too. Numbers are not: a rule
    that compares seconds still means seconds.
    """
    if speed == 1:
        return text
    return yaml.safe_dump(_hastened(yaml.safe_load(text), "", speed), sort_keys=False, allow_unicode=True)


def _hastened(value: Any, key: str, speed: float) -> Any:
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if name != _SCRAPE_TIMEOUT}
        return {name: _hastened(each, name, speed) for name, each in kept.items()}
    if isinstance(value, list):
        return [_hastened(each, key, speed) for each in value]
    if key == "expr" and isinstance(value, str):
        return _IN_PROMQL.sub(lambda found: divided(found[0], speed), value)
    if key in _DURATION_KEYS and isinstance(value, str) and _WHOLE.fullmatch(value):
        return divided(value, speed)
    return value


def divided(duration: str, speed: float) -> str:
    """Return a duration of Prometheus, such as `1h30m`, divided: whole milliseconds, at least one."""
    total = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(duration))
    return f"{max(round(total / speed), 1)}ms" if total else duration
