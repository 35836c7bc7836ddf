"""Each extra for a library brings an instrumentation that is loaded by itself, or a middleware."""

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
EXTRAS: dict[str, list[str]] = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
INSTRUMENTATION = "opentelemetry-instrumentation-"
OF_LIBRARIES = [
    (extra, Requirement(needed).name)
    for extra, needs in EXTRAS.items()
    for needed in needs
    if extra not in {"all", "collector", "dev"} and needed.startswith(INSTRUMENTATION)
]
MIDDLEWARES = {"asgi", "wsgi"}


@pytest.mark.parametrize(("extra", "package"), OF_LIBRARIES)
def test_what_an_extra_brings_is_loaded(extra: str, package: str) -> None:
    """OpenTelemetry's loader finds it by entry point; a middleware is put around an application by hand."""
    loaded = {
        canonicalize_name(point.dist.name)
        for point in entry_points(group="opentelemetry_instrumentor")
        if point.dist
    }
    assert (package in loaded) == (extra not in MIDDLEWARES)
