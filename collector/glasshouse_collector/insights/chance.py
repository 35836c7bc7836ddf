"""How much more likely something is than chance."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def likelihood_gain(has: Any, of: Any, had: Any, of_before: Any) -> Floats:
    """Return by how much two shares, `has / of` and `had / of_before`, are likelier than a common one.

    The natural logarithm of the likelihoods' ratio, for numbers or columns; numbers of trials are above 0.
    Twice that is what statistics calls G.
    """
    together = (has + had) / (of + of_before)
    gain: Floats = (
        _likelihood(has, of, has / of)
        + _likelihood(had, of_before, had / of_before)
        - _likelihood(has, of, together)
        - _likelihood(had, of_before, together)
    )
    return gain


def _likelihood(count: Any, of: Any, share: Any) -> Any:
    share = np.clip(share, 1e-12, 1 - 1e-12)
    return count * np.log(share) + (of - count) * np.log(1 - share)
