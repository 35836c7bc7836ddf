"""docs/sdk-logging.md is held to the code."""

import re
from pathlib import Path

import pytest

from application_process import Programs

PAGE = Path(__file__).parents[3] / "docs" / "sdk-logging.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_runs_as_it_stands(example: str, programs: Programs, tmp_path: Path) -> None:
    """In a process of its own, with no collector there, and prints what it says."""
    source = example.replace("/tmp/shop", str(tmp_path / "shop"))
    returned, output = programs.run("python", str(programs.write("example.py", source)))
    assert returned == 0, output
    for printed in re.findall(r"print\(.*\)  # (.*)", example):
        assert printed in output
