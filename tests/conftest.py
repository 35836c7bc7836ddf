"""What holds for every test."""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# No test asserts a duration; a busy machine must not fail one.
settings.register_profile("glasshouse", deadline=None)
settings.load_profile("glasshouse")

# `httpx.get` reads all the authorities that it trusts, for 20 ms of CPU each time, and none is needed here.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "support" / "nobodys_authority.pem")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage in what tests make, never in the tests themselves: that took a fifth of the CPU."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what a test has logged and printed be sent between processes, whatever is in it.

    Some log what is not valid UTF-8, with which a worker of pytest-xdist cannot report.
    """
    report = yield
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections
    ]
    return report
