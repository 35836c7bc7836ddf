"""What of the collector is ready to work, as its health pages tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """Whether one component works, and in a sentence why not."""

    ready: bool
    detail: str = ""


class Status:
    """The readiness of the collector's components; any thread may set or read it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._components: dict[str, ComponentStatus] = {}

    def set(self, component: str, ready: bool, detail: str = "") -> None:
        """Say how `component` does now; what was said of it before is forgotten."""
        with self._lock:
            self._components[component] = ComponentStatus(ready, detail)

    @property
    def ready(self) -> bool:
        """True when at least one component has reported and all that have are ready."""
        components = self.snapshot().values()
        return bool(components) and all(component.ready for component in components)

    def snapshot(self) -> Mapping[str, ComponentStatus]:
        """Return every component's status of this moment, sorted by name."""
        with self._lock:
            return MappingProxyType(dict(sorted(self._components.items())))
