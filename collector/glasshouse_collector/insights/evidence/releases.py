"""Whether it is a new release that does otherwise."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.spans import Spans

_MOST: Final = 0.8
"""Of the spans that show a fault, so many are of the new version."""
_HARDLY: Final = 0.05
"""Of the service's spans before, at most so many were of it."""


def new_version(spans: Spans, rows: npt.NDArray[Any]) -> str:
    """Return the version of which almost all of these rows are, and almost none were before; else nothing."""
    if not len(rows):
        return ""
    versions = np.bincount(spans.version.codes[rows], minlength=len(spans.version.texts))
    likely = int(versions.argmax())
    before = ~spans.incident & (spans.service == spans.service[rows[0]])
    if not spans.version.texts[likely] or versions[likely] < _MOST * len(rows) or not before.any():
        return ""
    known = (spans.version.codes[before] == likely).mean()
    return spans.version.texts[likely] if known <= _HARDLY else ""
