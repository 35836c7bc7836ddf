"""What users said of earlier insights, as factors of the scores of causes."""

from glasshouse_collector.control.feedback import Feedback
from glasshouse_collector.insights.findings import FaultKind

_KINDS = frozenset(FaultKind)


def priors_of(feedback: Feedback, project: str) -> dict[tuple[str, FaultKind], float]:
    """Return the factors of a project by service and kind, each between 0.75 and 1.25.

    Raises `Retryable` where the database does not answer.
    """
    return {
        (service, FaultKind(kind)): factor
        for (service, kind), factor in feedback.priors(project).items()
        if kind in _KINDS
    }
