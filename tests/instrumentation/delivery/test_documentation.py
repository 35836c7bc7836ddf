"""docs/sdk-delivery.md is held to the code."""

import re
from pathlib import Path

import pytest

from glasshouse import delivery

PAGE = Path(__file__).parents[3] / "docs" / "sdk-delivery.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("name", [name for name in delivery.__all__ if name.islower()])
def test_every_public_function_has_an_example(name: str) -> None:
    """Types are documented by what returns them."""
    assert re.search(rf"\b{name}\(", "".join(EXAMPLES))
