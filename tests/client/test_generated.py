"""What is made of the API's description is made of today's."""

import subprocess
import sys
from pathlib import Path

from glasshouse_collector import client_code


def test_the_client_is_todays(tmp_path: Path) -> None:
    """`make generated` would change nothing: every operation and model of the API is in the client."""
    for name, text in client_code.files(client_code.description()).items():
        (tmp_path / name).write_text(text)
    config = client_code.CLIENT.parents[2] / "pyproject.toml"
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run(
        [*ruff, "check", "--quiet", "--fix", "--exit-zero", "--config", str(config), str(tmp_path)],
        check=True,
    )
    subprocess.run([*ruff, "format", "--quiet", "--config", str(config), str(tmp_path)], check=True)
    for made in tmp_path.iterdir():
        committed = client_code.CLIENT / made.name
        assert made.read_text() == committed.read_text(), f"run `make generated`: {committed.name}"
