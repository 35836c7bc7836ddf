"""The faults that can be switched on: which service has which, where it shows, and how strong it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What goes wrong."""

    EXCEPTION = "exception"
    WRONG_RETURN = "wrong-return"
    LATENCY = "latency"
    CPU = "cpu"
    DEPENDENCY_ERROR = "dependency-error"
    DEPENDENCY_SLOW = "dependency-slow"
    POOL = "pool"
    RELEASE = "release"
    LEAK = "leak"


GOOD_RELEASE = "1.0.0"
BAD_RELEASE = "1.1.0"

LATENCY_SECONDS = 0.8
CPU_SECONDS = 0.3
DEPENDENCY_SECONDS = 1.5
POOL_TIMEOUT_SECONDS = 0.5
LEAK_BYTES = 2 << 20
MOST_LEAKED_BYTES = 256 << 20

EFFECTS: Mapping[Kind, Mapping[str, float | int | str]] = {
    Kind.EXCEPTION: {"share": 0.5, "error.type": "ValueError"},
    Kind.WRONG_RETURN: {"share": 0.5},
    Kind.LATENCY: {"share": 1, "seconds": LATENCY_SECONDS},
    Kind.CPU: {"share": 1, "cpu_seconds": CPU_SECONDS},
    Kind.DEPENDENCY_ERROR: {"share": 0.5, "http.response.status_code": 503},
    Kind.DEPENDENCY_SLOW: {"share": 1, "seconds": DEPENDENCY_SECONDS},
    Kind.POOL: {"share": 1, "seconds": POOL_TIMEOUT_SECONDS, "error.type": "sqlalchemy.exc.TimeoutError"},
    Kind.RELEASE: {"share": 0.5, "error.type": "KeyError", "service.version": BAD_RELEASE},
    Kind.LEAK: {"share": 1, "bytes": LEAK_BYTES, "most_bytes": MOST_LEAKED_BYTES},
}
"""What a fault does to the operation: to which share of its calls, and how much."""

_EVERYWHERE = (Kind.EXCEPTION, Kind.WRONG_RETURN, Kind.LATENCY, Kind.CPU, Kind.RELEASE, Kind.LEAK)
_ON_A_DEPENDENCY = (Kind.DEPENDENCY_ERROR, Kind.DEPENDENCY_SLOW)


@dataclass(frozen=True)
class Place:
    """An operation of a service: the name of its span, and the function that serves it."""

    operation: str
    function: str


@dataclass(frozen=True)
class Fault:
    """One fault: `service` and `kind` name it; `place` is where it is, `dependency` what fails there."""

    service: str
    kind: Kind
    place: Place
    dependency: str | None = None

    def __str__(self) -> str:
        return f"{self.service}:{self.kind}"


_PLACES = {
    "gateway": Place("POST /orders", "glasshouse_shop.gateway.order"),
    "catalog": Place("GET /products/{product_id}", "glasshouse_shop.catalog.product"),
    "cart": Place("POST /carts/{session_id}/items", "glasshouse_shop.cart.add"),
    "checkout": Place("POST /orders", "glasshouse_shop.checkout.order"),
    "payment": Place("POST /charges", "glasshouse_shop.payment.charge"),
    "worker": Place("ship order", "glasshouse_shop.worker.ship"),
}
_WITHOUT_DATABASE = {"gateway"}
_DEPENDENCIES = {
    "payment": ("bank", _PLACES["payment"]),
    "catalog": ("model", Place("POST /questions", "glasshouse_shop.catalog.ask")),
}


def _all() -> dict[str, Fault]:
    faults = []
    for service, place in _PLACES.items():
        kinds = [*_EVERYWHERE] if service in _WITHOUT_DATABASE else [*_EVERYWHERE, Kind.POOL]
        faults += [Fault(service, kind, place) for kind in kinds]
        if service in _DEPENDENCIES:
            dependency, where = _DEPENDENCIES[service]
            faults += [Fault(service, kind, where, dependency) for kind in _ON_A_DEPENDENCY]
    return {str(fault): fault for fault in faults}


FAULTS: Mapping[str, Fault] = _all()
"""All there are, by name: `payment:latency`."""


def named(name: str) -> Fault:
    """Return the fault of that name; ValueError lists the right ones."""
    if name not in FAULTS:
        lines = [f"  {', '.join(each for each in FAULTS if each.startswith(f'{at}:'))}" for at in _PLACES]
        raise ValueError("\n".join([f"there is no fault {name!r}; there are:", *lines]))
    return FAULTS[name]
