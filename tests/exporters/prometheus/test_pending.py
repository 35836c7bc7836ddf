"""What waits for its other end: found again, in order, within its bounds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glasshouse_exporters.prometheus.service_graph.pending import END, Ends, Waiting, index_in

_NUMBERS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 20), max_size=80)


@given(_NUMBERS, _NUMBERS)
def test_numbers_are_found_where_they_are(wanted: list[int], known: list[int]) -> None:
    """The first of several, none that is not there."""
    found = index_in(np.array(wanted, dtype=np.uint64), np.array(known, dtype=np.uint64))
    assert found.tolist() == [known.index(number) if number in known else -1 for number in wanted]


def _ends(keys: list[int], due: float) -> Ends:
    ends = np.zeros(len(keys), dtype=END)
    ends["key"], ends["due"] = keys, due
    return ends


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "forget", "due"]), st.integers(0, 900), st.integers(1, 5)),
        max_size=25,
    )
)
def test_what_waits_is_what_was_added_and_neither_forgotten_nor_due(
    steps: list[tuple[str, int, int]],
) -> None:
    """Whatever is moved meanwhile."""
    waiting, oracle, key, now = Waiting(), dict[int, float](), 0, 0.0
    for step, size, part in steps:
        now += 1
        if step == "add":
            keys = list(range(key + 1, key + size + 1))
            key += size
            waiting.add(_ends(keys, now + 5))
            oracle |= dict.fromkeys(keys, now + 5)
        elif step == "forget":
            gone = waiting.ends["paired"] | (waiting.ends["key"] % part == 0)
            waiting.ends["paired"] = gone
            waiting.forget(gone)
            oracle = {each: due for each, due in oracle.items() if each % part}
        else:
            due = waiting.take_due(now)
            late = [each for each, at in oracle.items() if at <= now]
            assert due["key"][~due["paired"]].tolist() == late
            oracle = {each: at for each, at in oracle.items() if at > now}
        assert waiting.count == len(oracle)
        ends = waiting.ends
        assert ends["key"][~ends["paired"]].tolist() == list(oracle)
