"""What `pip install glasshouse` brings, and what its extras add."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
OF_THE_SERVER = {"all", "collector", "demo", "dev", "llm", "postgresql"}


def test_all_is_every_extra_of_the_sdk() -> None:
    """It is written out, so it has to be kept."""
    separate = {needed for name, extra in EXTRAS.items() if name not in OF_THE_SERVER for needed in extra}
    assert set(EXTRAS["all"]) == separate


def test_the_base_install_brings_nothing_of_the_server() -> None:
    """It is light: OpenTelemetry, its HTTP exporter, structlog, click."""
    names = {needed.split(">")[0].split("[")[0] for needed in PROJECT["dependencies"]}
    server_alone = {needed.split(">")[0].split("[")[0] for needed in EXTRAS["collector"]} - {"urllib3"}
    assert not names & server_alone


def test_the_lock_names_packages_and_no_places() -> None:
    """A path or an address in it would work on one machine."""
    lock = (ROOT / "requirements.lock").read_text()
    assert "opentelemetry-sdk==" in lock
    assert "://" not in lock
    assert " @ " not in lock
