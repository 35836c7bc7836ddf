"""What can go wrong, by what has to be done about it."""


class GlasshouseError(Exception):
    """The root of the collector's own errors."""


class ConfigurationError(GlasshouseError):
    """The user has to change a setting: names it, what is wrong, and what would be right. Exit code 2."""


class StoreError(ConfigurationError):
    """The store cannot be opened: too old a server, another engine's data folder, or one in use."""


class Undecodable(GlasshouseError):
    """A request that is no OTLP. The sender must not send it again."""


class TooLarge(GlasshouseError):
    """A request over the size limit, before or after decompression. Not to be sent again."""


class Unauthenticated(GlasshouseError):
    """A request without a key that opens the door."""


class Forbidden(GlasshouseError):
    """A request with a key that opens other doors than this one."""


class Backpressure(GlasshouseError):
    """It cannot be taken now (the journal is full): send again after `retry_after` seconds."""

    def __init__(self, retry_after: float, reason: str) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class LimitReached(Backpressure):
    """The sender is over a limit of its own; `limit` is the limit's label in the metrics."""

    def __init__(self, limit: str, retry_after: float, reason: str) -> None:
        super().__init__(retry_after, reason)
        self.limit = limit


class Retryable(GlasshouseError):
    """A delivery failed in a way that may pass: deliver the same batch again. It may have arrived."""


class Permanent(GlasshouseError):
    """A delivery that will never succeed: the batch goes to the dead letters with this reason."""
