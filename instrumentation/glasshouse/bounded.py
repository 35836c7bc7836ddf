"""A call that is waited for only so long."""

import threading
from collections.abc import Callable

from glasshouse.failures import contained


def bounded(doing: str, call: Callable[[], object], seconds: float) -> bool:
    """Run a call in a thread of its own and wait at most so long; whether it returned in that time.

    A call that hangs, even on a lock that the caller holds, costs `seconds` and no more.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as failure:  # noqa: BLE001 - it is raised again below
            failures.append(failure)

    thread = threading.Thread(target=run, name=f"glasshouse-{doing}", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # Python starts no more threads while it ends
        run()
    else:
        thread.join(seconds)
    with contained(doing):
        for failure in failures:
            raise failure
    return not thread.is_alive()
