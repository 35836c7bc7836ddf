"""What holds for every test."""

from collections.abc import Generator

import pytest
from hypothesis import settings

# No test asserts a duration; a busy machine must not fail one.
settings.register_profile("glasshouse", deadline=None)
settings.load_profile("glasshouse")


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
