"""docs/sdk-delivery.md is held to the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from glasshouse import delivery
from scripted_endpoint import free_port

PAGE = Path(__file__).parents[3] / "docs" / "sdk-delivery.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_runs_as_it_stands(example: str, spool_dir: Path) -> None:
    """In a process of its own, with no collector there."""
    source = example.replace("http://localhost:4318", f"http://127.0.0.1:{free_port()}")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environ |= {"GLASSHOUSE_SPOOL_DIR": str(spool_dir), "GLASSHOUSE_SHUTDOWN_SECONDS": "2"}
    ran = subprocess.run(
        [sys.executable, "-c", source], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("name", [name for name in delivery.__all__ if name.islower()])
def test_every_public_function_has_an_example(name: str) -> None:
    """Types are documented by what returns them."""
    assert re.search(rf"\b{name}\(", "".join(EXAMPLES))
