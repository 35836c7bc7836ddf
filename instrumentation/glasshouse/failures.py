"""What happens when telemetry itself fails: the application never notices, a test always does."""

import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("glasshouse")

_MOST_REPORTS = 20
_reports: dict[str, int] = {}


@contextmanager
def contained(doing: str) -> Iterator[None]:
    """Keep a failure in the block from the application: it is logged, at most a few times a cause.

    Under pytest it is raised, so that a test shows what production would have hidden.
    """
    try:
        yield
    except Exception as failure:
        if _under_test():
            raise
        _report(doing, failure)


def guarded(function: Callable[P, R]) -> Callable[P, R | None]:
    """Make a function that returns None, and is logged, where it would raise; under pytest it raises.

    As `contained`, without a context manager's microsecond a call.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception as failure:
            if _under_test():
                raise
            _report(function.__name__, failure)
            return None

    return call


def _under_test() -> bool:
    return "pytest" in sys.modules and "PYTEST_VERSION" in os.environ


def _report(doing: str, failure: Exception) -> None:
    cause = f"{doing}: {type(failure).__name__}"
    _reports[cause] = _reports.get(cause, 0) + 1
    if _reports[cause] <= _MOST_REPORTS:
        log.warning("%s failed: %s: %s", doing, type(failure).__name__, failure)
