"""What somebody who manages projects and keys can get wrong."""

from glasshouse_collector.core.errors import GlasshouseError


class Wrong(GlasshouseError):
    """A field has a value that it cannot have; `field` names it."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: {expected}")
        self.field = field


class NotFound(GlasshouseError):
    """There is no such project or key."""


class Taken(GlasshouseError):
    """The name belongs to another already."""
