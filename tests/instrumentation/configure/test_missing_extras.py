"""Commands that cannot be loaded say what is missing, and which extra brings it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from glasshouse.cli import COMMANDS_GROUP, main


@pytest.mark.parametrize(
    ("distribution", "package", "remedy"),
    [
        ("glasshouse", "glasshouse_collector", 'pip install "glasshouse[collector]"'),
        ("glasshouse", "glasshouse_shop", 'pip install "glasshouse[demo]"'),
        ("shelf-tools", "email", "the package shelf-tools needs it"),
    ],
)
def test_the_right_extra_is_named(
    distribution: str, package: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the package that the command is in; a command of another project has no extra of ours."""
    missing = f"{package}.not_there"
    folder = tmp_path / f"{distribution}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{COMMANDS_GROUP}]\ntry-it = {missing}:command\n")
    monkeypatch.syspath_prepend(tmp_path)
    # Of two installations of one name the first counts, so only `try-it` is there for the first two.
    said = CliRunner().invoke(main, ["try-it", "--any", "option"])
    assert said.exit_code == 2
    assert f"{missing}, which 'try-it' needs, is not installed: {remedy}" in said.output
    listed = CliRunner().invoke(main, ["--help"], terminal_width=200, max_content_width=200)
    assert f"(not installed: {remedy})" in listed.output
