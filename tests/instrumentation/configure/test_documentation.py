"""docs/instrument.md is held to the code."""

import re
from pathlib import Path

from glasshouse.commands.config import shown
from glasshouse.settings import table

PAGE = Path(__file__).parents[3] / "docs" / "instrument.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_every_setting_is_documented_as_it_is() -> None:
    """The page's table has each setting, with its variables, default and meaning, and no other."""
    rows = [
        f"| `{row.name}` | {', '.join(f'`{variable}`' for variable in row.variables)} "
        f"| {'none' if row.value in (None, {}) else f'`{shown(row)}`'} | {row.doc} |"
        for row in table({}, {})
    ]
    _, _, written = PAGE.read_text().partition(
        "| setting | variables | default | meaning |\n|---|---|---|---|\n"
    )
    assert written.partition("\n\n")[0].splitlines() == rows
