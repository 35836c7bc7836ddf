"""Grafana in its container: its data sources are services, its dashboards stand where it looks."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from compose_file import Service
from glasshouse_collector.store.settings import Server, locate

_PROVISIONING = "/etc/grafana/provisioning"
# What `$` Grafana is told to leave alone is doubled.
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)\}")


@pytest.fixture
def provisioning(single: dict[str, Service]) -> Path:
    """Return the folder that Grafana reads at its start."""
    return single["grafana"].mounted_at(_PROVISIONING)


@pytest.fixture
def sources(provisioning: Path, single: dict[str, Service]) -> dict[str, Any]:
    """Return the data sources by type, with Grafana's own variables put in."""
    environment = single["grafana"].environment
    (path,) = (provisioning / "datasources").glob("*.yml")
    text = _VARIABLE.sub(lambda found: str(environment[found[1]]), path.read_text())
    return {source["type"]: source for source in yaml.safe_load(text)["datasources"]}


def test_every_variable_of_the_provisioning_is_set_and_read(
    provisioning: Path, single: dict[str, Service]
) -> None:
    """One that is missing would be empty text; one that is read nowhere misleads."""
    texts = [path.read_text() for path in provisioning.rglob("*.yml")]
    named = {name for text in texts for name in _VARIABLE.findall(text)}
    given = {name for name in single["grafana"].environment if name.startswith("GLASSHOUSE_")}
    assert named
    assert named == given


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_a_data_source_is_a_service_in_reach(
    name: str, sources: dict[str, Any], single: dict[str, Service]
) -> None:
    """By the service's name, at the port that it listens on."""
    url = urlsplit(sources[name]["url"])
    assert url.hostname == name
    assert url.port in {published.container_port for published in single[name].published}
    assert set(single[name].written["networks"]) <= set(single["grafana"].written["networks"])


def test_clickhouse_is_read_by_the_user_who_may_only_read(
    sources: dict[str, Any], single: dict[str, Service]
) -> None:
    """The collector's database, with the password that ClickHouse gives that user."""
    asked = sources["grafana-clickhouse-datasource"]
    store = locate(str(single["collector"].environment["GLASSHOUSE_STORAGE__DSN"]))
    assert isinstance(store, Server)
    settings = asked["jsonData"]
    assert (settings["host"], settings["port"]) == (store.host, store.port)
    assert (settings["username"], settings["defaultDatabase"]) == ("grafana", store.database)
    clickhouse = single["clickhouse"]
    assert asked["secureJsonData"]["password"] == clickhouse.environment["STORE_GRAFANA_PASSWORD"]
    users = clickhouse.mounted_at("/etc/clickhouse-server/users.d/glasshouse.xml").read_text()
    assert '<grafana>\n            <password from_env="STORE_GRAFANA_PASSWORD"/>' in users


def test_the_plugin_is_fetched_in_one_version(sources: dict[str, Any], single: dict[str, Service]) -> None:
    """Every data source that is no part of Grafana itself."""
    fetched = str(single["grafana"].environment["GF_PLUGINS_PREINSTALL_SYNC"]).split(",")
    assert {re.fullmatch(r"(.+)@\d+\.\d+\.\d+", each)[1] for each in fetched} == {  # type: ignore[index]
        kind for kind in sources if kind not in {"prometheus", "alertmanager"}
    }


def test_the_dashboards_are_where_grafana_looks(provisioning: Path, single: dict[str, Service]) -> None:
    """All of them, and nothing that it would take for one."""
    (path,) = (provisioning / "dashboards").glob("*.yml")
    for provider in yaml.safe_load(path.read_text())["providers"]:
        folder = single["grafana"].mounted_at(provider["options"]["path"])
        assert list(folder.glob("*.json"))
        assert {each.suffix for each in folder.iterdir()} == {".json"}
