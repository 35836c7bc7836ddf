"""The compose files with the variables that `deploy/fill-secrets.sh` writes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from compose_file import CLUSTER, ROOT, SINGLE, Service, environment_file, services


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the script has written `.env`."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "deploy").mkdir()
    shutil.copy(ROOT / ".env.example", folder)
    shutil.copy(ROOT / "deploy" / "fill-secrets.sh", folder / "deploy")
    subprocess.run(["sh", "deploy/fill-secrets.sh"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def variables(filled: Path) -> dict[str, str]:
    """Return what `.env` says after the script."""
    return environment_file(filled / ".env")


@pytest.fixture(scope="session")
def single(variables: dict[str, str]) -> dict[str, Service]:
    """Return the services of docker-compose.yml."""
    return services(SINGLE, variables)


@pytest.fixture(scope="session")
def cluster(variables: dict[str, str]) -> dict[str, Service]:
    """Return the services of docker-compose.cluster.yml."""
    return services(CLUSTER, variables)
