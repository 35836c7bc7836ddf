"""The databases of the shop, as its services open them at the same moment."""

import subprocess
import sys
from pathlib import Path

SERVICES = 4
ROUNDS = 20
SERVICE = """
import sys
from glasshouse_shop.database import opened
from glasshouse_shop.orders import tables

print("up", flush=True)
for name in sys.stdin:
    opened(name.strip(), tables).dispose()
    print("opened", flush=True)
"""


def test_services_that_start_at_once_open_one_database(tmp_path: Path) -> None:
    """As checkout and worker do: none is refused because another is making the tables."""
    command = [sys.executable, "-c", SERVICE]
    pipe = subprocess.PIPE
    services = [
        subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(SERVICES)
    ]
    try:
        said = [_line(each) for each in services]
        for number in range(ROUNDS):
            for each in services:
                assert each.stdin is not None
                print(f"orders-{number}", file=each.stdin, flush=True)
            said += [_line(each) for each in services]
    finally:
        ended = [each.communicate() for each in services]
    assert said == ["up"] * SERVICES + ["opened"] * SERVICES * ROUNDS, ended


def _line(service: "subprocess.Popen[str]") -> str:
    assert service.stdout is not None
    return service.stdout.readline().strip()
