"""`python -m glasshouse_dashboards`: write the JSON, or see with `--check` whether it is as written."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from glasshouse_dashboards.boards import files

FOLDER = Path(__file__).parents[1] / "json"


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail where a file differs.")
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    help="Another folder than dashboards/grafana/json.",
)
def main(*, check: bool, folder: Path) -> None:
    """Write every dashboard as JSON that Grafana imports."""
    made = files()
    if check:
        wrong = differing(folder, made)
        for name in wrong:
            click.echo(f"{folder / name} differs: run python -m glasshouse_dashboards", err=True)
        sys.exit(1 if wrong else 0)
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted({path.name for path in folder.glob("*.json")} - made.keys()):
        (folder / name).unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


def differing(folder: Path, made: Mapping[str, str]) -> list[str]:
    """Return the names of files that are missing, too many, or not as made."""
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in found.keys() | made.keys() if found.get(name) != made.get(name))


if __name__ == "__main__":
    main()
