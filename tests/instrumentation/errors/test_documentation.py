"""docs/sdk-tracing-errors.md is held to the code."""

import re
from pathlib import Path

import pytest

from application_process import Programs

PAGE = Path(__file__).parents[3] / "docs" / "sdk-tracing-errors.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_runs_as_it_stands(example: str, programs: Programs) -> None:
    """In a process of its own, with no collector there; what it says that it prints, it prints."""
    code, output = programs.run(
        "python", str(programs.write("example.py", example)), GLASSHOUSE_SHUTDOWN_SECONDS="1"
    )
    assert code == 0, output
    assert "failed:" not in output
    for printed in re.findall(r"print\(.*\)  # (.*)", example):
        assert printed in output


def test_every_public_name_has_an_example() -> None:
    """And its place in the page."""
    page = "".join(EXAMPLES)
    for name in (
        "span", "trace_operation", "add_span_attributes", "capture_exception", "install_excepthook",
        "heartbeat", "start_heartbeat_loop", "before_send",
    ):  # fmt: skip
        assert f"{name}(" in page or f"@{name}" in page, name
