"""How many values an attribute has, told from a sample of its records."""

from typing import Final

_ROUNDS: Final = 60


def estimate_distinct(found: int, sampled: int, records: int) -> int:
    """Return how many values `records` have, where a sample of `sampled` of them has `found`.

    As if all values were equally frequent: of V values a sample of n is expected to show
    V · (1 - (1 - 1/V)^n), which is solved for V. Where few values are frequent it is too low, never
    less than what was found; ids, of which each record has its own, come out as the number of records.
    """
    found = min(found, sampled)
    if not found or sampled >= records:
        return found
    low, high = float(found), float(records)
    if _expected(high, sampled) <= found:
        return records
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if _expected(middle, sampled) < found:
            low = middle
        else:
            high = middle
    return max(found, round(low))


def _expected(values: float, sampled: int) -> float:
    return float(values * (1 - (1 - 1 / values) ** sampled)) if values > 1 else 1.0
