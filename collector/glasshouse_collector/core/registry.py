"""Finds components by entry point; the built-in ones register exactly as outsiders' do."""

import functools
import re
from importlib.metadata import EntryPoints, entry_points
from typing import Any, Literal

from pydantic import ValidationError

from glasshouse_collector.core.components import Services
from glasshouse_collector.core.errors import ConfigurationError

Group = Literal["receivers", "processors", "exporters", "extensions"]

_SECRET = re.compile(r"dsn|token|password|secret|key", re.IGNORECASE)
"""Settings whose wrong value is not repeated in the message."""


def available(group: Group) -> list[str]:
    """Return the names of the registered components of a group, sorted."""
    return sorted(_installed(group).names)


def find(group: Group, name: str) -> Any:
    """Return the component class registered as `name`; `ConfigurationError` where there is none."""
    for entry_point in _installed(group).select(name=name):
        return entry_point.load()
    raise ConfigurationError(
        f"{group}.{name}: no such component is installed; there are: {', '.join(available(group))}"
    )


@functools.cache
def _installed(group: Group) -> EntryPoints:
    """Return what is installed of a group; looking reads every package, and a start asks thirty times."""
    return entry_points(group=f"glasshouse.{group}")


def build(group: Group, name: str, written: dict[str, Any], services: Services) -> Any:
    """Return the component, constructed from what the user wrote for it."""
    component = find(group, name)
    return component(configure(group, name, written), services)


def configure(group: Group, name: str, written: dict[str, Any]) -> Any:
    """Return the component's validated configuration; `ConfigurationError` names the wrong field."""
    try:
        return find(group, name).Config.model_validate(written)
    except ValidationError as invalid:
        raise ConfigurationError(describe(invalid, f"{group}.{name}")) from None


def describe(invalid: ValidationError, where: str = "") -> str:
    """Say which fields are wrong, what was given and what would be right, a line each."""
    return "\n".join(_describe_one(dict(error), where) for error in invalid.errors())


def _describe_one(error: dict[str, Any], where: str) -> str:
    field = ".".join(str(part) for part in ([where] if where else []) + list(error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{field}: no such setting"
    if error["type"] == "missing":
        return f"{field}: a value is needed"
    told = f"{field}: {error['msg'].removeprefix('Value error, ')}"
    return told if _may_be_secret(field, error["input"]) else f"{told} (got {error['input']!r})"


def _may_be_secret(field: str, given: object) -> bool:
    return bool(_SECRET.search(field)) or "://" in str(given)
