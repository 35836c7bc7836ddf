"""What an answer cites is held against the recording: each thing that is made up is found out."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from glasshouse_collector.insights.windows import SECOND, Window
from insights.asking import Answer
from insights.cases import Case
from insights.grounding import Grounding, grounding
from insights.recording import RecordedLog, RecordedSpan, Recording
from insights.scoring import Placing
from insights.simple import placings

MILLISECOND: Final = 1_000_000
BEFORE: Final = Window(0, 100 * SECOND)
DURING: Final = Window(100 * SECOND, 200 * SECOND)
CASE: Final = Case("made up", (), DURING, (BEFORE,), "cart", "early_return", "GET /cart")
FAILED: Final = "could not reach stock for 5"


def trace(number: int, *, second: int, stock: bool, own: int) -> list[RecordedSpan]:
    """Return gateway → cart → stock; without `stock` the cart calls nobody. `own` is the cart's, in ms."""
    start, name = second * SECOND, f"{number:032x}"
    ended = start + own * MILLISECOND + (5 * MILLISECOND if stock else 0)
    spans = [
        RecordedSpan("gateway", "GET /", name, f"{number}a", "", start, ended + MILLISECOND, False),
        RecordedSpan("cart", "GET /cart", name, f"{number}b", f"{number}a", start, ended, not stock),
    ]
    if stock:
        called = start + own * MILLISECOND
        spans.append(
            RecordedSpan("stock", "GET /stock", name, f"{number}c", f"{number}b", called, ended, False)
        )
        spans.append(RecordedSpan("cart", "render", name, f"{number}d", f"{number}b", start, start, False))
    return spans


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Ten traces before, with own time of 10 ms; ten during, of which four call no stock, and take 50 ms."""
    found = Recording()
    for number in range(20):
        broken = number >= 16
        spans = trace(number, second=number * 10, stock=not broken, own=50 if broken else 10)
        found.traces[spans[0].trace_id] = spans
        if broken:
            failed = RecordedLog("cart", spans[1].start, 17, FAILED, spans[1].trace_id, spans[1].span_id)
            found.logs.append(failed)
    return found


def evidence(**said: Any) -> dict[str, Any]:
    """Return evidence as the API tells it, true unless something else is said."""
    return {
        "kind": "missing_calls",
        "text": "GET /cart: the call GET /stock (stock) is made in 60% of its calls, 100% before",
        "service": "cart",
        "operation": "GET /cart",
        "before": 1.0,
        "after": 0.6,
        "unit": "share of calls",
        "trace_ids": [f"{number:032x}" for number in (16, 17)],
        "log_ids": [],
        **said,
    }


def own_time(**said: Any) -> dict[str, Any]:
    """Return evidence of own time, true unless something else is said."""
    told = "own time of GET /cart: 10 ms → 50 ms in 4 of 10 calls"
    return evidence(**{"kind": "own_time", "text": told, "before": 10.0, "after": 50.0, "unit": "ms", **said})


PATH: Final = [
    {"service": "cart", "operation": "GET /cart", "effect": "is where it starts"},
    {"service": "gateway", "operation": "GET /", "effect": "waited for it"},
]


def held(
    recording: Recording,
    *cited: dict[str, Any],
    path: list[dict[str, str]] = PATH,
    log: Mapping[str, Any] | None = None,
) -> Grounding:
    """Ground an answer with this evidence and path; `log` is what the API has under any id."""
    cause = {"service": "cart", "kind": "early_return", "evidence": list(cited), "path": path}
    return grounding(Answer(CASE, {"root_causes": [cause]}, 0.1), recording, lambda _id: log)


def test_a_true_answer_holds(recording: Recording) -> None:
    """Calls that are missing, the cart's own time, and a failure, with their numbers."""
    fails = evidence(kind="exception", text="GET /cart: it fails with an error in 40% …", before=0, after=0.4)
    found = held(recording, evidence(), own_time(), fails)
    assert found.problems == ()
    assert found.grounded
    assert found.numbers == 3


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"after": 0.4}, "recorded"),
        ({"before": 0.8}, "recorded"),
        ({"text": "GET /cart: the call GET /nowhere (stock) is made in 60% of its calls"}, "recorded"),
        ({"operation": "GET /x", "text": "GET /x: the call GET /stock (stock) is made in 60% …"}, "recorded"),
        ({"trace_ids": ["f" * 32]}, "was not recorded"),
        ({"trace_ids": []}, "no trace and no log record is cited"),
        ({"log_ids": ["1-2"]}, "there is none"),
    ],
)
def test_what_is_made_up_is_found_out(recording: Recording, wrong: dict[str, Any], complaint: str) -> None:
    """A number, an operation, a trace, a log record that is not so, or nothing cited at all."""
    assert any(complaint in problem for problem in held(recording, evidence(**wrong)).problems)


@pytest.mark.parametrize(
    "wrong",
    [{"after": 40.0}, {"before": 12.0}, {"text": "own time of GET /cart: 10 ms → 50 ms in 4 of 11 calls"}],
)
def test_times_are_computed_again(recording: Recording, wrong: dict[str, Any]) -> None:
    """The medians of own times, and of how many calls."""
    [problem] = held(recording, own_time(**wrong)).problems
    assert "recorded" in problem


def test_a_trace_without_the_service_shows_nothing_of_it(recording: Recording) -> None:
    """A cited trace must have a span of the faulty service, and be of the time."""
    other = Recording(dict(recording.traces), recording.logs)
    other.traces["a" * 32] = [
        RecordedSpan("gateway", "GET /", "a" * 32, "1", "", 150 * SECOND, 151 * SECOND, False)
    ]
    other.traces["b" * 32] = trace(0, second=900, stock=True, own=10)
    found = held(other, evidence(trace_ids=["a" * 32, "b" * 32, f"{16:032x}"])).problems
    assert found == (f"trace {'a' * 32}: has no span of cart", f"trace {'b' * 32}: is of another time")


def test_a_log_record_is_the_service_s_own_and_of_the_time(recording: Recording) -> None:
    """What the API has under the id must have been recorded so."""
    kept = {"time_unix_nano": str(160 * SECOND), "body": FAILED}
    assert held(recording, evidence(log_ids=["1-2"]), log=kept).grounded
    for log, service in (({**kept, "body": "something else"}, "cart"), (kept, "gateway")):
        [problem] = held(recording, evidence(log_ids=["1-2"], service=service, unit=""), log=log).problems
        assert problem == f"log record 1-2: {service} wrote none such"


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ([], "does not begin at cart"),
        (PATH[1:], "does not begin at cart"),
        ([PATH[0], {"service": "stock", "operation": "GET /stock"}], "stock does not call cart"),
        ([PATH[0], {"service": "gateway", "operation": "POST /"}], "no span POST / of gateway"),
    ],
)
def test_each_step_of_a_path_is_a_call(
    recording: Recording, path: list[dict[str, str]], complaint: str
) -> None:
    """It begins at the fault, and each step calls the one before, in a trace that is cited."""
    assert any(complaint in problem for problem in held(recording, evidence(), path=path).problems)


def test_lines_are_counted_whatever_their_values(recording: Recording) -> None:
    """A statement by its words, a mask for its values."""
    said = "GET /cart: “could not reach stock for <number>” is said in 40% of its calls, 0% before"
    line = evidence(kind="log_pattern", text=said, before=0.0, after=0.4)
    assert held(recording, line).grounded
    less = "GET /cart: the call GET /stock (stock) is not made with each “could not reach” in 40% …"
    assert held(recording, evidence(text=less, before=0.0, after=0.4)).grounded
    assert not held(recording, evidence(text=less, before=0.0, after=0.6)).grounded


def test_simple_rankings(recording: Recording) -> None:
    """Errors and latency point at the cart, which alone writes; all of the gateway's are slow."""
    found = placings(CASE, recording)
    assert found["most error records"] == Placing(0, 1)
    assert found["greatest rise of the share of error records"] == Placing(0, 1)
    assert found["3 sigma on latency"].better == 1
    assert found["random"] == Placing(0, 3)
