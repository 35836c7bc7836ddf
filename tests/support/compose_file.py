"""A compose file as Docker Compose reads it: variables put in, what is written short spelled out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SINGLE = ROOT / "docker-compose.yml"
CLUSTER = ROOT / "docker-compose.cluster.yml"

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<sign>:?[-?])(?P<rest>[^}]*))?\}|(?P<plain>[A-Za-z_]\w*))"
)


class Missing(Exception):
    """A variable that a compose file needs is not set; the text is the file's own."""


@dataclass(frozen=True)
class Mount:
    """One line of `volumes`: a path of this machine, or a volume's name."""

    source: str
    target: str
    writable: bool

    @property
    def bound(self) -> Path | None:
        """The path of this repository that is mounted; None for a named volume."""
        return (ROOT / self.source).resolve() if self.source.startswith(("./", "../", "/")) else None


@dataclass(frozen=True)
class Published:
    """One line of `ports`, of the form address:port:port."""

    address: str
    host_port: int
    container_port: int


@dataclass(frozen=True)
class Service:
    """One service."""

    name: str
    written: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str | None]:
        """Its variables; None for one that is passed on as it is where `.env` has it."""
        return dict(self.written.get("environment", {}))

    @property
    def mounts(self) -> list[Mount]:
        """Its volumes."""
        parts = [line.split(":") for line in self.written.get("volumes", [])]
        return [Mount(part[0], part[1], writable=part[2:] != ["ro"]) for part in parts]

    @property
    def published(self) -> list[Published]:
        """Its ports that this machine opens."""
        parts = [line.rsplit(":", 2) for line in self.written.get("ports", [])]
        return [Published(address, int(host), int(container)) for address, host, container in parts]

    def mounted_at(self, target: str) -> Path:
        """Return the path of this repository that the container sees at a path."""
        for mount in self.mounts:
            if mount.bound and (target == mount.target or target.startswith(f"{mount.target}/")):
                return mount.bound / target.removeprefix(mount.target).lstrip("/")
        raise AssertionError(f"nothing of this repository is mounted at {target} of {self.name}")


def services(path: Path, variables: Mapping[str, str]) -> dict[str, Service]:
    """Return the services by name, variables put in."""
    written = read(path, variables)["services"]
    return {name: Service(name, service) for name, service in written.items()}


def read(path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the file with its variables put in; `Missing` where one is needed and not set."""
    written: dict[str, Any] = _interpolated(yaml.safe_load(path.read_text()), variables)
    return written


def variables_of(path: Path) -> set[str]:
    """Return the names of all variables that a file reads: in values, as passed on, and as secrets."""
    text = "\n".join(line.split(" #")[0] for line in path.read_text().splitlines())
    named = {found["name"] or found["plain"] for found in _VARIABLE.finditer(text) if not found["escaped"]}
    whole = yaml.safe_load(path.read_text())
    for service in whole["services"].values():
        environment: Mapping[str, str | None] = service.get("environment", {})
        named |= {name for name, value in environment.items() if value is None}
    return named | {secret["environment"] for secret in whole.get("secrets", {}).values()}


def environment_file(path: Path) -> dict[str, str]:
    """Return what a file such as `.env` sets."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(inner, variables) for inner in value]
    return _VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    """Return what stands for one variable, by the rules of the specification's page on interpolation."""
    if found["escaped"]:
        return "$"
    name, sign, rest = found["name"] or found["plain"], found["sign"] or "", found["rest"] or ""
    value = variables.get(name)
    given = value is not None and (value != "" or not sign.startswith(":"))
    if given or not sign:
        return value or ""
    if sign.endswith("?"):
        raise Missing(f"{name}: {rest}")
    return rest
