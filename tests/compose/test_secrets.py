"""`deploy/fill-secrets.sh`, run as a user runs it."""

import re
import subprocess
from pathlib import Path

from compose_file import ROOT, environment_file

SECRETS = {name for name, value in environment_file(ROOT / ".env.example").items() if value == ""}


def _fill(folder: Path) -> str:
    done = subprocess.run(
        ["sh", "deploy/fill-secrets.sh"], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_every_secret_is_filled_with_one_of_its_own(variables: dict[str, str]) -> None:
    """Digits that need no quoting anywhere, and no two alike."""
    assert len(SECRETS) >= 5
    values = [variables[name] for name in SECRETS]
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in values)
    assert len(set(values)) == len(values)


def test_the_file_is_its_owners_alone_and_out_of_the_repository(filled: Path) -> None:
    """Nobody else on the machine reads it, and git does not take it."""
    assert (filled / ".env").stat().st_mode & 0o777 == 0o600
    assert subprocess.run(["git", "check-ignore", "--quiet", ".env"], cwd=ROOT, check=False).returncode == 0


def test_a_second_run_changes_nothing(filled: Path) -> None:
    """A store's password that changed would lock everybody out."""
    before = (filled / ".env").read_text()
    assert _fill(filled) == ".env is complete\n"
    assert (filled / ".env").read_text() == before


def test_what_is_set_stays_and_what_is_new_is_added(filled: Path, tmp_path: Path) -> None:
    """After an upgrade that brings a secret, the .env of before is completed."""
    (tmp_path / "deploy").mkdir()
    for name in ("deploy/fill-secrets.sh", ".env.example"):
        (tmp_path / name).write_bytes((filled / name).read_bytes())
    (tmp_path / ".env").write_text("GLASSHOUSE_AUTH_TOKEN=mine&/\\\nGRAFANA_ADMIN_PASSWORD=\nOTHER=1\n")
    assert "filled GRAFANA_ADMIN_PASSWORD\n" in _fill(tmp_path)
    after = environment_file(tmp_path / ".env")
    assert (after["GLASSHOUSE_AUTH_TOKEN"], after["OTHER"]) == ("mine&/\\", "1")
    assert after.keys() == SECRETS | {"OTHER"}
    assert all(after[name] for name in SECRETS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", ".env.example", "deploy"]
