"""Whether it is a new release that does otherwise."""

from typing import Any

import numpy as np
import numpy.typing as npt

from glasshouse_collector.insights.constants import Constants
from glasshouse_collector.insights.spans import Spans


def new_version(spans: Spans, rows: npt.NDArray[Any], constants: Constants) -> str:
    """Return the version of which almost all of these rows are, and almost none were before; else nothing."""
    if not len(rows):
        return ""
    versions = np.bincount(spans.version.codes[rows], minlength=len(spans.version.texts))
    likely = int(versions.argmax())
    before = ~spans.incident & (spans.service == spans.service[rows[0]])
    most = versions[likely] >= constants.of_new_version * len(rows)
    if not spans.version.texts[likely] or not most or not before.any():
        return ""
    known = (spans.version.codes[before] == likely).mean()
    return spans.version.texts[likely] if known <= constants.new_before else ""
