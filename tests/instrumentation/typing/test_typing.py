"""The types of the public API, as a type checker sees them in an application that has installed it."""

import re
import subprocess
import sys
from pathlib import Path

import glasshouse
import glasshouse.testing

SAMPLE = Path(__file__).with_name("public_api.py")


def test_the_public_api_has_its_types(tmp_path: Path) -> None:
    """A strict mypy takes what is right, and refuses each line that says it ignores a mistake."""
    # The settings of this repository, which know where the sources are, do not count for an application.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", SAMPLE],
        cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sample_has_every_public_name() -> None:
    """So that none can lose its type unnoticed."""
    sample = SAMPLE.read_text()
    assert [name for name in glasshouse.__all__ if f"glasshouse.{name}" not in sample] == []
    imported = re.search(r"from glasshouse\.testing import (.*)", sample)
    assert imported
    assert imported[1].split(", ") == glasshouse.testing.__all__


def test_the_package_says_that_it_is_typed() -> None:
    """By the marker of PEP 561."""
    assert Path(glasshouse.__file__).with_name("py.typed").is_file()
