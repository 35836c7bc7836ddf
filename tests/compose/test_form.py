"""The form of the compose files: the specification's schema, and what every service keeps."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from compose_file import (
    CLUSTER,
    ROOT,
    SINGLE,
    Missing,
    environment_file,
    read,
    services,
    variables_of,
)

BOTH = pytest.mark.parametrize("path", [SINGLE, CLUSTER], ids=["single", "cluster"])
SCHEMA = Path(__file__).parent / "specification" / "compose-spec.json"
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)*(-alpine)?")


@BOTH
def test_a_file_is_as_the_specification_has_it(path: Path, variables: dict[str, str]) -> None:
    """The schema of the specification finds nothing, with the variables put in."""
    schema = json.loads(SCHEMA.read_text())
    problems = Draft7Validator(schema).iter_errors(read(path, variables))
    assert [f"{list(problem.path)}: {problem.message}" for problem in problems] == []


@BOTH
def test_every_service_has_what_keeps_it_in_bounds(path: Path, variables: dict[str, str]) -> None:
    """A restart policy, a health check, limits, a log that does not grow, and no right it does not need."""
    for name, service in services(path, variables).items():
        written = service.written
        once = written["restart"] == "no"
        assert once or written["restart"] == "unless-stopped", name
        assert written["healthcheck"] == {"disable": True} if once else written["healthcheck"]["test"], name
        assert {"cpus", "memory"} <= written["deploy"]["resources"]["limits"].keys(), name
        assert written["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert written["security_opt"] == ["no-new-privileges:true"], name
        assert written["cap_drop"] == ["ALL"], name


@BOTH
def test_every_image_is_pinned_or_built_here(path: Path, variables: dict[str, str]) -> None:
    """An image is one version of a program, or comes from the Dockerfile's target of that name."""
    targets = re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for name, service in services(path, variables).items():
        if "build" in service.written:
            assert service.written["image"].endswith(":local"), name
            assert service.written["build"]["target"] in targets, name
        else:
            assert PINNED.fullmatch(service.written["image"]), name


@BOTH
def test_ports_open_on_the_loopback_address_only_and_once(path: Path, variables: dict[str, str]) -> None:
    """Whoever wants to be reached from elsewhere puts TLS in front."""
    ports = [port for service in services(path, variables).values() for port in service.published]
    assert ports
    assert {port.address for port in ports} == {"127.0.0.1"}
    assert len({port.host_port for port in ports}) == len(ports)


@BOTH
def test_what_is_named_is_declared_and_used(path: Path, variables: dict[str, str]) -> None:
    """Networks, volumes, secrets and the services that others wait for."""
    whole = read(path, variables)
    found = services(path, variables)
    used: dict[str, set[str]] = {"networks": set(), "volumes": set(), "secrets": set()}
    for service in found.values():
        used["networks"] |= set(service.written.get("networks", []))
        used["volumes"] |= {mount.source for mount in service.mounts if mount.bound is None}
        used["secrets"] |= {_source(secret) for secret in service.written.get("secrets", [])}
        for other, how in service.written.get("depends_on", {}).items():
            ends = found[other].written["restart"] == "no"
            # What was written once has to be read again, which a start of its reader does.
            again = {"condition": "service_completed_successfully", "restart": True}
            assert how == (again if ends else {"condition": "service_healthy"})
    assert used == {kind: set(whole.get(kind, {})) for kind in used}


def _source(secret: str | dict[str, str]) -> str:
    return secret if isinstance(secret, str) else secret["source"]


@BOTH
def test_what_is_mounted_from_here_exists_and_may_only_be_read(path: Path, variables: dict[str, str]) -> None:
    """A path that does not exist would become an empty folder of root's."""
    for service in services(path, variables).values():
        for mount in service.mounts:
            if mount.bound is not None:
                assert mount.bound.exists(), f"{service.name}: {mount.source}"
                assert not mount.writable, f"{service.name}: {mount.source}"


@BOTH
def test_a_read_only_service_has_no_secret_from_the_environment(
    path: Path, variables: dict[str, str]
) -> None:
    """Compose copies such a secret into the container, and refuses where it cannot."""
    for service in services(path, variables).values():
        assert not (service.written.get("read_only") and service.written.get("secrets")), service.name


def test_the_files_and_the_example_have_the_same_variables() -> None:
    """One that is missing in the example is unknown to the user; one that is read nowhere misleads."""
    read_anywhere = variables_of(SINGLE) | variables_of(CLUSTER)
    shown = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert shown == read_anywhere


@BOTH
def test_a_secret_has_no_default(path: Path, variables: dict[str, str]) -> None:
    """Without it Compose ends with a line that says what to do."""
    secrets = {secret["environment"] for secret in read(path, variables).get("secrets", {}).values()}
    for name in environment_file(ROOT / ".env.example").keys() & (variables_of(path) - secrets):
        for absent in ({**variables, name: ""}, {k: v for k, v in variables.items() if k != name}):
            with pytest.raises(Missing, match=f"^{name}: run sh deploy/fill-secrets.sh"):
                read(path, absent)


@BOTH
def test_no_secret_stands_in_a_file(path: Path) -> None:
    """What is called a password, token, secret or key is a variable or a file."""
    for name, service in yaml.safe_load(path.read_text())["services"].items():
        environment: dict[str, Any] = service.get("environment", {})
        for variable, value in environment.items():
            if re.search(r"PASSWORD|TOKEN|SECRET|KEY", variable) and value is not None:
                assert value.startswith(("${", "/run/secrets/")), f"{name}: {variable}"


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("$SET", "yes"), ("${SET}", "yes"), ("${SET:-no}", "yes"), ("${SET:?why}", "yes"),
        ("${EMPTY:-no}", "no"), ("${EMPTY-no}", ""), ("${ABSENT-no}", "no"), ("${ABSENT}", ""),
        ("$$SET", "$SET"), ("a${SET}b${SET}", "ayesbyes"), ("5 $", "5 $"),
    ],
)  # fmt: skip
def test_variables_are_put_in_as_compose_does(tmp_path: Path, text: str, becomes: str) -> None:
    """The rules of the specification's page on interpolation."""
    path = tmp_path / "compose.yml"
    path.write_text(yaml.safe_dump({"services": {"one": {"image": text}}}))
    assert read(path, {"SET": "yes", "EMPTY": ""})["services"]["one"]["image"] == becomes
