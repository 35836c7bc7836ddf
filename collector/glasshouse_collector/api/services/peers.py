"""Whom a client span calls, by what it says itself, as SQL over its attributes.

Source: OpenTelemetry semantic conventions for databases, messaging and peers, with the names that were in use
before they were stable. The metrics of the service graph name peers by the same attributes.
"""

from collections.abc import Sequence
from typing import Final

_SYSTEMS: Final = ("db.system.name", "db.system")
_DATABASES: Final = (
    "db.namespace",
    "db.name",
    "peer.service",
    "server.address",
    "net.peer.name",
    *_SYSTEMS,
)
_QUEUES: Final = ("messaging.destination.name", "messaging.destination")
_HOSTS: Final = (
    "peer.service",
    "server.address",
    "net.peer.name",
    "net.sock.peer.addr",
    "rpc.service",
)
_LONGEST: Final = 200


def _first(keys: Sequence[str]) -> str:
    """Return SQL for the first of these attributes that is there, cut to 200 characters."""
    values = ", ".join(f"SpanAttributes['{key}']" for key in keys)
    return f"leftUTF8(firstNonDefault({values}), {_LONGEST})"


DATABASE_SYSTEM: Final = _first(_SYSTEMS)
DATABASE: Final = f"if({_first(_SYSTEMS)} = '', '', {_first(_DATABASES)})"
QUEUE: Final = _first(_QUEUES)
QUEUE_SYSTEM: Final = "SpanAttributes['messaging.system']"
HOST: Final = _first(_HOSTS)
