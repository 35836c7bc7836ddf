"""A clue: something that was seen, and at what it points."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.findings import Evidence, FaultKind

Rows = npt.NDArray[Any]
Sort = Literal["behaviour", "timing", "metric"]


def no_rows() -> Rows:
    """Return the rows of a clue that no span shows."""
    return np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class Clue:
    """It points at a service's operation and a kind of fault, with a strength in nats.

    `rows` are the spans of the incident that show it, the plainest first. Clues of one `group` say the same
    in different words: only the strongest of them counts.
    """

    service: str
    operation: str
    kind: FaultKind
    strength: float
    evidence: Evidence
    group: str
    sort: Sort
    rows: Rows = field(default_factory=no_rows)
    resource: str = ""
    dependency: str = ""
