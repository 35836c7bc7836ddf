"""`glasshouse bootstrap --install` with a real pip, in an environment of its own, from a folder of wheels."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

THREADS = "opentelemetry-instrumentation-threading"
MODELS = "opentelemetry-instrumentation-openai-v2"
"""Of a library that the tests have, without its instrumentation."""
CORE = "opentelemetry-instrumentation"
HERE = version(CORE)
NEXT = "99.0b0"


def package(folder: Path, name: str, release: str, *requires: str) -> None:
    """Write a wheel that has nothing in it but its name, its release and what it requires."""
    stem = f"{name.replace('-', '_')}-{release}"
    about = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}"]
    about += [f"Requires-Dist: {each}" for each in requires]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(about) + "\n")
        wheel.writestr(
            f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Make an environment that sees what is installed here, but not the instrumentation of threads."""
    made = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    seen = tmp_path / "seen"
    seen.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not each.name.startswith(THREADS.replace("-", "_")):
            (seen / each.name).symlink_to(each)
    site_packages = Path(sysconfig.get_path("purelib", vars={"base": str(made)}))
    editable = [each.read_text() for each in seen.glob("*.pth") if "glasshouse" in each.name]
    # By a path, so that pip sees it and takes nothing of it away.
    (site_packages / "seen.pth").write_text("\n".join([str(seen), *editable]))
    return made


def bootstrap(environment: Path, packages: Path) -> tuple[int, str]:
    """Run it; its exit code, and what was printed."""
    environ = {
        **os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(packages), "PIP_CONFIG_FILE": os.devnull,
    }  # fmt: skip
    command = "from glasshouse.cli import main; main(['bootstrap', '--install'])"
    done = subprocess.run(
        [environment / "bin" / "python", "-c", command],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def installed(environment: Path) -> dict[str, str]:
    """Return the releases of the two that the packages are of, as the environment has them."""
    show = (
        "from importlib.metadata import distributions\n"
        f"[print(d.name, d.version) for d in distributions() if d.name in {(THREADS, CORE)!r}]"
    )
    command = [str(environment / "bin" / "python"), "-c", show]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # Of two installations of one name the first counts.
    return {line.split()[0]: line.split()[1] for line in reversed(done.stdout.splitlines())}


@pytest.mark.parametrize("releases", [[HERE, NEXT], [NEXT]])
def test_what_is_here_stays_of_one_release(releases: list[str], environment: Path, tmp_path: Path) -> None:
    """A newer release would bring a core that does not fit the SDK; where there is no other, it is told."""
    packages = tmp_path / "packages"
    packages.mkdir()
    package(packages, CORE, NEXT)
    for release in releases:
        package(packages, THREADS, release, f"{CORE}=={release}")
        package(packages, MODELS, release, f"{CORE}=={release}")
    returned, output = bootstrap(environment, packages)
    there = installed(environment)
    assert there.pop(CORE) == HERE
    if HERE in releases:
        assert (returned, there) == (0, {THREADS: HERE}), output
    else:
        assert (returned, there) == (1, {}), output
        assert f"the installer failed for {MODELS}=={HERE}" in output
        assert f"{THREADS}=={HERE}; see above" in output
