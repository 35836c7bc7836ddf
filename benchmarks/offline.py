"""Asks a stopped collector's embedded store, in a process of its own.

    echo '["SELECT 1"]' | python benchmarks/offline.py DATA_DIR

It runs the JSON list of statements from its input, and prints the last one's rows as JSON.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from programs import Failed


def ask(data: Path, *statements: str) -> list[dict[str, Any]]:
    """Run the statements on the store of a collector's data folder; return the last one's rows."""
    done = subprocess.run(
        [sys.executable, __file__, str(data)],
        input=json.dumps(statements).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"the store of {data}: {done.stderr.decode()[-1000:]}")
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines() if line]
    return rows


def _main() -> None:
    import chdb  # noqa: PLC0415  (half a gigabyte that only the child process needs)

    connect: Any = chdb.connect
    session = connect(str((Path(sys.argv[1]) / "store").resolve()))
    answer = b""
    for statement in json.load(sys.stdin):
        answer = session.query(statement, "JSONEachRow").bytes()
    session.close()
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    _main()
