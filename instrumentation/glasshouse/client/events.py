"""Server-sent events, as WHATWG's HTML standard has them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name, the id to resume after, and its data."""

    name: str
    id: str
    data: Any


@dataclass(slots=True)
class Events:
    """Makes events of lines, of which each is given without its end."""

    last_id: str = ""
    _name: str = ""
    _data: list[str] = field(default_factory=list)

    def add(self, line: str) -> Iterator[Event]:
        """Take a line, and return the event that it ends, if it ends one."""
        if not line:
            if self._data:
                yield Event(self._name or "message", self.last_id, json.loads("\n".join(self._data)))
            self._name, self._data = "", []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "id":
            self.last_id = value
        elif name == "data":
            self._data.append(value)
