"""Alertmanager in its container: what its neighbour writes is what it can read and use."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from compose_file import SINGLE, Service, services
from glasshouse_alerts.alertmanager import VERSION
from glasshouse_alerts.alertmanager_variables import PREFIX, VARIABLES
from glasshouse_alerts.extension import AlertsConfig, AlertsExtension
from glasshouse_collector.config import Settings
from glasshouse_collector.core.access import Authenticator, OpenAccess
from glasshouse_collector.core.components import Services
from glasshouse_collector.core.metrics import Metrics

_FOLDER = "/etc/alertmanager"
EVERYTHING = {
    "PAGERDUTY_ROUTING_KEY": "a-key",
    "SLACK_WEBHOOK_URL": "https://slack.example.com/a-secret",
    "TEAMS_WEBHOOK_URL": "https://teams.example.com/a-secret",
    "EMAIL_TO": "on-call@example.com",
    "EMAIL_FROM": "alerts@example.com",
    "EMAIL_SMARTHOST": "mail.example.com:587",
    "EMAIL_USERNAME": "alerts",
    "EMAIL_PASSWORD": "a-password",
}


def _run(service: Service, folder: Path, dotenv: dict[str, str], *more: str) -> Path:
    """Run what the container runs, with the paths of this machine; `dotenv` is what `.env` has besides."""
    environment = {
        name: value if value is not None else dotenv.get(name) for name, value in service.environment.items()
    }
    words = [word.replace(_FOLDER, str(folder)) for word in service.written["command"]]
    at = words.index("--templates") + 1
    words[at] = str(service.mounted_at(words[at]))
    subprocess.run(
        [Path(sys.executable).parent / "glasshouse", *words, *more],
        env={"PATH": os.environ["PATH"], **{name: value for name, value in environment.items() if value}},
        check=True,
        capture_output=True,
    )
    return folder / "alertmanager.yml"


@pytest.fixture(params=["nothing", "everything"])
def dotenv(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return what `.env` says of who hears of alerts."""
    told = EVERYTHING if request.param == "everything" else {}
    return {PREFIX + name: value for name, value in told.items()}


@pytest.fixture
def written(single: dict[str, Service], tmp_path: Path, dotenv: dict[str, str]) -> Path:
    """Return the configuration that the container writes."""
    return _run(single["alertmanager-config"], tmp_path, dotenv)


def test_every_variable_may_be_set_in_the_environment_file(single: dict[str, Service]) -> None:
    """All that the command knows, but for the collector's own webhook, which is set already."""
    environment = single["alertmanager-config"].environment
    assert environment.keys() == {PREFIX + variable.name for variable in VARIABLES}
    assert {name for name, value in environment.items() if value is not None} == {
        f"{PREFIX}WEBHOOK_URL",
        f"{PREFIX}WEBHOOK_TOKEN",
    }


def test_it_is_written_for_the_version_that_runs(single: dict[str, Service]) -> None:
    """What a version cannot do is left out for it."""
    assert single["alertmanager"].written["image"] == f"prom/alertmanager:v{VERSION}"


def test_all_that_it_names_is_in_the_volume_that_both_have(written: Path) -> None:
    """Texts and secrets lie beside the file; nothing secret stands in it."""
    config = yaml.safe_load(written.read_text())
    named = [Path(path) for path in config["templates"]]
    named += [Path(path) for path in _files(config["receivers"])]
    for path in named:
        assert written.parent in path.parents
        assert list(path.parent.glob(path.name)), path
    assert "a-secret" not in written.read_text()
    assert "a-password" not in written.read_text()
    assert written.stat().st_mode & 0o777 == 0o600


def _files(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.endswith("_file"):
                yield inner
            else:
                yield from _files(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _files(inner)


def test_the_collector_hears_of_every_alert(written: Path, single: dict[str, Service]) -> None:
    """At the route that the extension offers, with the token that it was given."""
    (receiver,) = [r for r in yaml.safe_load(written.read_text())["receivers"] if "webhook_configs" in r]
    (webhook,) = receiver["webhook_configs"]
    url = urlsplit(webhook["url"])
    assert set(single["alertmanager"].written["networks"]) <= set(
        single[str(url.hostname)].written["networks"]
    )
    assert url.port == Settings.model_fields["port"].default
    offered = Services()
    offered.provide(Metrics, Metrics())
    offered.provide(Authenticator, OpenAccess())  # type: ignore[type-abstract]
    routes = AlertsExtension(AlertsConfig(), offered).routes
    assert routes is not None
    assert url.path in {getattr(route, "path", None) for route in routes.routes}
    token = Path(webhook["http_config"]["authorization"]["credentials_file"]).read_text()
    assert token == single["collector"].environment["GLASSHOUSE_EXTENSIONS__ALERTS__WEBHOOK_TOKEN"]


def test_amtool_takes_it(single: dict[str, Service], tmp_path: Path, dotenv: dict[str, str]) -> None:
    """Debian's amtool, which knows no Teams yet: without that, the very same."""
    amtool = shutil.which("amtool")
    if amtool is None:
        pytest.skip("amtool is not installed; make servers does it")
    path = _run(single["alertmanager-config"], tmp_path, dotenv, "--alertmanager-version", "0.25.0")
    done = subprocess.run([amtool, "check-config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_empty_variable_is_none(variables: dict[str, str], tmp_path: Path) -> None:
    """A line of .env that is there and says nothing changes nothing."""
    service = services(SINGLE, variables)["alertmanager-config"]
    empty = {name: "" for name, value in service.environment.items() if value is None}
    first = _run(service, tmp_path / "one", empty).read_text().replace("/one/", "/two/")
    assert first == _run(service, tmp_path / "two", {}).read_text()
