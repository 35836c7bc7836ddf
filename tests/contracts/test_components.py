"""What every registered component keeps, an outsider's too."""

import asyncio
from pathlib import Path
from typing import get_args

import pytest

from glasshouse_collector.core import registry
from glasshouse_collector.core.access import Authenticator, OpenAccess
from glasshouse_collector.core.components import (
    ComponentConfig,
    Exporter,
    Extension,
    Processor,
    Receiver,
    Services,
)
from glasshouse_collector.core.errors import ConfigurationError
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.registry import Group, available, build, configure, find
from glasshouse_collector.core.status import Status

PROTOCOLS = {"receivers": Receiver, "processors": Processor, "exporters": Exporter, "extensions": Extension}
REGISTERED = [(group, name) for group in get_args(Group) for name in available(group)]
DOCS = Path(__file__).parents[2] / "docs" / "components.md"


@pytest.fixture
def services() -> Services:
    """Return what every component may ask for."""
    services = Services()
    services.provide(Metrics, Metrics())
    services.provide(Status, Status())
    services.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    return services


@pytest.mark.parametrize(("group", "name"), REGISTERED)
def test_a_component_has_the_shape_of_its_contract(group: Group, name: str, services: Services) -> None:
    """It has the methods, and a configuration that needs nothing written."""
    assert issubclass(find(group, name).Config, ComponentConfig)
    assert isinstance(build(group, name, {}, services), PROTOCOLS[group])


@pytest.mark.parametrize(("group", "name"), REGISTERED)
def test_a_component_refuses_a_setting_it_does_not_have(group: Group, name: str) -> None:
    """A typing mistake is named, never passed over."""
    with pytest.raises(ConfigurationError, match=rf"{group}\.{name}\.no_such_thing: no such setting"):
        configure(group, name, {"no_such_thing": 1})


@pytest.mark.parametrize(("group", "name"), [entry for entry in REGISTERED if entry[0] != "processors"])
def test_stop_is_safe_without_start_and_repeatedly(group: Group, name: str, services: Services) -> None:
    """Whatever went wrong before, stopping does no harm."""

    async def stop_twice() -> None:
        component = build(group, name, {}, services)
        await component.stop()
        await component.stop()

    asyncio.run(stop_twice())


@pytest.mark.parametrize(("group", "name"), REGISTERED)
def test_a_component_is_documented(group: Group, name: str) -> None:
    """Each stands in docs/components.md by its name."""
    assert f"`{name}`" in DOCS.read_text(), f"{group} {name}"


def test_an_unknown_component_is_answered_with_those_there_are() -> None:
    """A wrong name gets the right ones."""
    with pytest.raises(ConfigurationError, match=r"exporters\.clickhuose: no such component.*clickhouse"):
        registry.find("exporters", "clickhuose")
