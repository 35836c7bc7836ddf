"""Why a model's answer is not there, or is not used."""

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a question to the model, as the metric counts it."""

    USED = "used"
    NOT_INSTALLED = "not_installed"
    NO_BUDGET = "no_budget"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    FAILED = "failed"
    MALFORMED = "malformed"
    NOT_GROUNDED = "not_grounded"


class NoAnswer(Exception):
    """There is no answer of use; the text is what `fallback_reason` tells people."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
