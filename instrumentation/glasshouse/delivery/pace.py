"""When a signal may be sent next: at once, or after growing pauses where its endpoint is away."""

import random
import time

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0
# Without it, all processes would come back to a returning collector in step.
_JITTER = 0.3


class Pace:
    """The pauses of one signal. Times are those of the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.failures = 0
        self.failed_at = float("-inf")
        self.ready_at = float("-inf")
        self._told = False

    @property
    def away(self) -> bool:
        """Whether the last attempt failed."""
        return self.failures > 0

    def failed(self, wait: float | None) -> None:
        """Pause: twice as long as the last time, or as the endpoint says, but never shorter than at first."""
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self.failures) * jitter
        self.failures = min(self.failures + 1, 30)
        self._told = wait is not None
        self.failed_at = time.monotonic()
        self.ready_at = self.failed_at + (pause if wait is None else max(wait, _FIRST_PAUSE * jitter))

    def worked(self) -> None:
        """Go on without a pause."""
        self.failures = 0
        self.ready_at = float("-inf")

    def hurry(self) -> None:
        """End a pause that is of our own making."""
        if not self._told:
            self.ready_at = float("-inf")

    def hopeless_since(self, moment: float) -> bool:
        """Whether an attempt after that moment failed, or none is allowed yet."""
        return self.away and (self.failed_at >= moment or (self._told and self.ready_at > time.monotonic()))
