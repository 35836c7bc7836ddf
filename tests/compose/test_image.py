"""The Dockerfile, as far as that goes without Docker: what it copies, and the wheel that comes of it."""

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from compose_file import ROOT, Service

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _copied(stage: str) -> list[tuple[str, str]]:
    """Return what a stage copies from this repository, and to where."""
    text = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    (found,) = [part for part in text if part.partition("\n")[0].endswith(f" AS {stage}")]
    copies = [line.split()[1:] for line in found.splitlines() if line.startswith("COPY ")]
    return [(source, words[-1]) for words in copies for source in words[:-1]]


def _let_through(source: str) -> bool:
    """Whether .dockerignore, which begins by leaving everything out, takes a path in again."""
    kept = False
    for line in (ROOT / ".dockerignore").read_text().split():
        if fnmatch.fnmatch(Path(source).parts[0], line.removeprefix("!")):
            kept = line.startswith("!")
    return kept


@pytest.mark.parametrize("stage", ["native", "wheel"])
def test_what_is_copied_exists_and_is_let_through(stage: str) -> None:
    """A source that is left out ends the build."""
    copied = [source for source, _ in _copied(stage)]
    assert len(copied) >= 3
    for source in copied:
        assert (ROOT / source).exists(), source
        assert _let_through(source), source


def test_what_is_taken_from_the_lock_stands_there() -> None:
    """The tools that build are of the locked versions."""
    lock = (ROOT / "requirements.lock").read_text()
    tools = re.findall(r"grep \^(\w+)== requirements.lock", DOCKERFILE)
    assert tools == ["maturin", "hatchling"]
    assert all(re.search(rf"^{tool}==", lock, re.MULTILINE) for tool in tools)


def test_the_build_of_rust_has_a_compiler_that_is_new_enough() -> None:
    """As the crates ask for."""
    (image,) = re.findall(r"^FROM rust:(\d+)\.(\d+)-", DOCKERFILE, re.MULTILINE)
    for crate in re.findall(r"--manifest-path (\S+)", DOCKERFILE):
        needed = tomllib.loads((ROOT / crate).read_text())["package"]["rust-version"]
        assert tuple(map(int, image)) >= tuple(map(int, needed.split(".")))


def test_the_extras_and_the_python_are_the_projects() -> None:
    """What pip is asked for in the image is what the project offers."""
    asked = set(",".join(re.findall(r"glasshouse-\*\.whl\)\[([\w,]+)\]", DOCKERFILE)).split(","))
    assert asked == {"collector", "postgresql", "demo"}
    assert asked <= PROJECT["project"]["optional-dependencies"].keys()
    for version in re.findall(r"^FROM python:(\d+\.\d+)\.", DOCKERFILE, re.MULTILINE):
        assert f"Programming Language :: Python :: {version}" in PROJECT["project"]["classifiers"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Return the wheel that the stage `wheel` builds, of what it copies and nothing else."""
    folder = tmp_path_factory.mktemp("image")
    for source, target in _copied("wheel"):
        assert target in (source, ".", "./")
        at = folder / source
        at.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, at, ignore=shutil.ignore_patterns("target", "__pycache__"))
        else:
            shutil.copy(ROOT / source, at)
    assert "pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels ." in DOCKERFILE
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--no-cache-dir", "--wheel-dir", "wheels", "."], cwd=folder, check=True)
    (built,) = (folder / "wheels").glob("glasshouse-*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_has_every_package_whole(wheel: zipfile.ZipFile) -> None:
    """Each file of each package that git knows: modules, migrations, markers of types."""
    packages = [ROOT / path for path in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]]
    names = set(wheel.namelist())
    for package in packages:
        listed = subprocess.run(
            ["git", "ls-files", "--", package], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        files = {str((ROOT / name).relative_to(package.parent)) for name in listed if (ROOT / name).exists()}
        assert len(files) > 1, package
        assert files <= names
    assert any(name.endswith("store/migrations/0001_traces.sql") for name in names)


def test_the_wheel_has_what_its_entry_points_name(wheel: zipfile.ZipFile) -> None:
    """Commands and components alike are found in the image."""
    groups = PROJECT["project"]["entry-points"]
    modules = {target.partition(":")[0] for group in groups.values() for target in group.values()}
    names = set(wheel.namelist())
    for module in modules:
        path = module.replace(".", "/")
        assert {f"{path}.py", f"{path}/__init__.py"} & names, module


def test_the_folders_that_containers_write_to_belong_to_their_users(single: dict[str, Service]) -> None:
    """A volume takes over the owner of the image's folder that it is mounted at."""
    assert "useradd --system --uid 10001 --home-dir /data --create-home glasshouse" in DOCKERFILE
    stages = {part.partition("\n")[0].rpartition(" AS ")[2]: part for part in DOCKERFILE.split("FROM ")[1:]}
    for stage in ("collector", "shop"):
        assert "USER glasshouse\nVOLUME /data\n" in stages[stage]
    writer = single["alertmanager-config"]
    (folder,) = [mount.target for mount in writer.mounts if mount.writable]
    assert writer.written["user"] == "nobody"
    assert f"install -d -o nobody -g nogroup -m 0755 {folder}\n" in stages["base"]
    command = writer.written["command"]
    reader = single["alertmanager"]
    config = command[command.index("--output") + 1]
    assert f"--config.file={config}" in reader.written["command"]
    assert next(mount.source for mount in writer.mounts if mount.writable) in {
        mount.source for mount in reader.mounts if mount.target == folder
    }
