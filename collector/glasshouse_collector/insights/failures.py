"""Failures of the job: each is counted, and said when it begins and when it is over."""

import logging

from prometheus_client import Counter

log = logging.getLogger(__name__)


class Failures:
    """What fails at present, by step and project."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._said: dict[tuple[str, str], str] = {}

    def __len__(self) -> int:
        return len(self._said)

    def note(self, step: str, failure: BaseException, project: str = "") -> None:
        """Count a failure of a step, and say it where it is another kind than the last one."""
        self._counter.labels(step).inc()
        kind = type(failure).__name__
        if self._said.get((step, project)) != kind:
            reason = " ".join(str(failure).split())[:500] or kind
            log.warning("insights: %s: %s; tried again at the next round", _where(step, project), reason)
        self._said[step, project] = kind

    def over(self, step: str, project: str = "") -> None:
        """Say that a step succeeds again, where it failed before."""
        if self._said.pop((step, project), None) is not None:
            log.info("insights: %s: succeeds again", _where(step, project))


def _where(step: str, project: str) -> str:
    return f"{step} of project {project}" if project else step
