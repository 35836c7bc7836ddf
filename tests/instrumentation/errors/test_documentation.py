"""docs/sdk-tracing-errors.md is held to the code."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "sdk-tracing-errors.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_every_public_name_has_an_example() -> None:
    """And its place in the page."""
    page = "".join(EXAMPLES)
    for name in (
        "span", "trace_operation", "add_span_attributes", "capture_exception", "install_excepthook",
        "heartbeat", "start_heartbeat_loop", "before_send",
    ):  # fmt: skip
        assert f"{name}(" in page or f"@{name}" in page, name
