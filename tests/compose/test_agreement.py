"""What the compose files say of our programs is what these programs take."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest
import yaml

from compose_file import CLUSTER, ROOT, SINGLE, Service, services
from glasshouse_collector.api import create_app
from glasshouse_collector.config import Settings, load, unknown_variables
from glasshouse_collector.core.access import Authenticator, OpenAccess
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.exposition import MetricsPage
from glasshouse_collector.core.metrics import Metrics
from glasshouse_collector.core.status import Status
from glasshouse_collector.store.settings import Server, locate

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COLLECTORS = [(SINGLE, "collector"), (CLUSTER, "collector-1"), (CLUSTER, "collector-2")]
A_COLLECTOR = pytest.mark.parametrize(("path", "name"), COLLECTORS, ids=[name for _, name in COLLECTORS])


def _image_environment() -> dict[str, str]:
    """Return what the Dockerfile sets for the collector."""
    (line,) = re.findall(r"^ENV (GLASSHOUSE_.*)$", DOCKERFILE, re.MULTILINE)
    return dict(pair.split("=") for pair in line.split())


@pytest.fixture
def settings(path: Path, name: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings that the collector reads in its container."""
    service = services(path, variables)[name]
    for variable, value in {**_image_environment(), **service.environment}.items():
        assert value is not None
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(
        "GLASSHOUSE_CONFIG", str(service.mounted_at(str(service.environment["GLASSHOUSE_CONFIG"])))
    )
    return load(None, {})


@A_COLLECTOR
def test_the_collector_takes_its_settings(
    path: Path, name: str, settings: Settings, variables: dict[str, str]
) -> None:
    """Each variable and each line of its file is a setting; what it keeps is in a volume."""
    service = services(path, variables)[name]
    named = {**_image_environment(), **service.environment}
    assert unknown_variables({variable: str(value) for variable, value in named.items()}) == []
    assert settings.auth_token is not None
    assert settings.auth_token.get_secret_value() == variables["GLASSHOUSE_AUTH_TOKEN"]
    assert settings.host == "0.0.0.0"
    assert settings.insecure
    assert settings.control_url == (
        f"postgresql+psycopg://glasshouse:{variables['POSTGRES_PASSWORD']}@postgres:5432/glasshouse"
        if "cluster" in path.name
        else "sqlite:////data/control.db"
    )
    assert str(settings.data_dir) in {mount.target for mount in service.mounts if mount.writable}
    assert settings.exporters.keys() == {"clickhouse", "prometheus"}
    assert settings.extensions["certificates"] == {}
    assert settings.extensions["alerts"] == {"webhook_token": variables["GLASSHOUSE_WEBHOOK_TOKEN"]}


@A_COLLECTOR
def test_the_collector_finds_its_store(
    path: Path, name: str, settings: Settings, variables: dict[str, str]
) -> None:
    """The store is a service that it waits for, in a network that both are in, with the same password."""
    store = locate(settings.dsn)
    assert isinstance(store, Server)
    found = services(path, variables)
    assert store.host in found[name].written["depends_on"]
    assert set(found[store.host].written["networks"]) <= set(found[name].written["networks"])
    assert store.password == found[store.host].environment["STORE_PASSWORD"]
    assert store.port == urlsplit(_health_url(found[store.host])).port
    assert (store.username, store.database) == ("glasshouse", "glasshouse")


def _health_url(service: Service) -> str:
    """Return the address that its health check asks."""
    url: str
    (url,) = re.findall(r"http://[\w.:/-]+", " ".join(service.written["healthcheck"]["test"]))
    assert urlsplit(url).hostname == "127.0.0.1"
    return url


@A_COLLECTOR
def test_the_health_check_asks_a_route_that_is_open(
    path: Path, name: str, settings: Settings, variables: dict[str, str]
) -> None:
    """It needs no key, and answers at the API's port."""
    url = urlsplit(_health_url(services(path, variables)[name]))
    offered = Services()
    offered.provide(Metrics, Metrics())
    offered.provide(MetricsPage, MetricsPage())
    offered.provide(Status, Status())
    offered.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    assert url.path in create_app(offered).openapi()["paths"]
    assert url.path in {"/ready", "/live"}
    assert url.port == settings.port


def test_the_published_ports_are_those_of_the_settings(
    single: dict[str, Service], cluster: dict[str, Service]
) -> None:
    """So are those that the image exposes."""
    defaults = Settings.model_fields
    ports = {int(defaults[name].default) for name in ("grpc_port", "http_port", "port")}
    for service in (single["collector"], cluster["load-balancer"]):
        assert {published.host_port for published in service.published} == ports
        assert {published.container_port for published in service.published} == ports
    (exposed,) = re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)
    assert {int(port) for port in exposed.split()} == ports


def _our_commands(single: dict[str, Service], cluster: dict[str, Service]) -> list[list[str]]:
    """Return what containers of our images run: from compose, or from the Dockerfile."""
    in_image = [
        re.findall(r'"([^"]+)"', line) for line in re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    ]
    ours = [service for service in [*single.values(), *cluster.values()] if "build" in service.written]
    return in_image + [service.written["command"] for service in ours if "command" in service.written]


def test_every_command_is_one_of_ours_with_its_options(
    single: dict[str, Service], cluster: dict[str, Service]
) -> None:
    """The program itself takes each; a wrong option would end the container at its start."""
    commands = _our_commands(single, cluster)
    assert {words[0] for words in commands} == {"serve", "demo", "alertmanager-config"}
    for words in commands:
        (registered,) = entry_points(group="glasshouse.commands", name=words[0])
        command = registered.load()
        assert isinstance(command, click.Command)
        command.make_context(words[0], words[1:])


def test_the_shop_sends_with_the_key(single: dict[str, Service], variables: dict[str, str]) -> None:
    """To the collector's OTLP/HTTP, below an init: its services take a parent 1 for a dead one."""
    shop = single["shop"]
    command = shop.written["command"]
    endpoint = urlsplit(command[command.index("--endpoint") + 1])
    assert endpoint.hostname == "collector"
    assert endpoint.port == Settings.model_fields["http_port"].default
    assert shop.environment == {"GLASSHOUSE_API_KEY": variables["GLASSHOUSE_AUTH_TOKEN"]}
    assert shop.written["init"] is True


def test_the_shops_health_check_tells_that_no_demo_runs(single: dict[str, Service], tmp_path: Path) -> None:
    """The check itself, in a folder where none runs."""
    words = single["shop"].written["healthcheck"]["test"]
    code = words[-1].replace("/data", str(tmp_path))
    assert words[:3] == ["CMD", "python", "-c"]
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_the_options_are_those_of_the_real_program(name: str, single: dict[str, Service]) -> None:
    """Of Debian's version, which is older: what it knows, the image's knows."""
    program = shutil.which(name) or shutil.which(f"prometheus-{name}")
    if program is None:
        pytest.skip(f"{name} is not installed; make servers does it")
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    known = set(re.findall(r"--[a-z][\w.-]*", told.stdout + told.stderr))
    options = [word.partition("=")[0] for word in single[name].written["command"]]
    assert set(options) <= known


def test_prometheus_finds_what_its_configuration_names(
    single: dict[str, Service], variables: dict[str, str]
) -> None:
    """Rules and targets are mounted where the file expects them; the targets are services and their ports."""
    prometheus = single["prometheus"]
    (config_option,) = [w for w in prometheus.written["command"] if w.startswith("--config.file=")]
    config_path = Path(config_option.partition("=")[2])
    config = yaml.safe_load(prometheus.mounted_at(str(config_path)).read_text())
    for pattern in config["rule_files"]:
        folder = prometheus.mounted_at(str((config_path.parent / pattern).parent))
        assert list(folder.glob(Path(pattern).name)), pattern
    (collector,) = config["scrape_configs"]
    ports = {"collector": 8000, "alertmanager": 9093}
    for discovery in (collector, *config["alerting"]["alertmanagers"]):
        for name in discovery["file_sd_configs"][0]["files"]:
            for group in yaml.safe_load(prometheus.mounted_at(str(config_path.parent / name)).read_text()):
                for target in group["targets"]:
                    host, _, port = target.partition(":")
                    assert (host, int(port)) in ports.items()
                    assert int(port) in {published.container_port for published in single[host].published}
    (secret,) = prometheus.written["secrets"]
    assert secret["target"] == str(config_path.parent / collector["authorization"]["credentials_file"])
    whole = yaml.safe_load(SINGLE.read_text())["secrets"][secret["source"]]
    assert variables[whole["environment"]] == single["collector"].environment["GLASSHOUSE_AUTH_TOKEN"]


def test_where_a_service_keeps_what_it_keeps_is_a_volume(single: dict[str, Service]) -> None:
    """What Prometheus and Alertmanager are told to write to outlives the container."""
    for name, option in (("prometheus", "--storage.tsdb.path="), ("alertmanager", "--storage.path=")):
        (folder,) = [w.partition("=")[2] for w in single[name].written["command"] if w.startswith(option)]
        assert folder in {mount.target for mount in single[name].mounts if mount.writable}
