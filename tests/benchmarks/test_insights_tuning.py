"""What leaving a kind of fault out is made of: cases with fewer traces, other constants, and the choice."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from glasshouse_collector.insights.constants import DEFAULT, Constants
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import Store
from insights import confidence, tuning
from insights.asking import Answer
from insights.cases import Case
from insights.confidence import Judged
from insights.thinned import DRAWS, thin
from made_traces import shop
from migrated_store import migrated_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Lend an embedded store with its tables made."""
    opened = migrated_store(tmp_path_factory, "tuning")
    yield opened
    opened.close()


def case(name: str, kind: str, service: str = "payment") -> Case:
    """Return a case, of which nothing is recorded."""
    return Case(name, (Path(name),), Window(0, 1), (), service, kind)


def answer(of: Case, *scores: tuple[str, float], sure: float = 0.9) -> Answer:
    """Return an answer that names these services."""
    causes = [{"service": it, "kind": of.kind, "score": score, "confidence": sure} for it, score in scores]
    return Answer(of, {"root_causes": causes}, 0.0)


def test_thinning_keeps_whole_traces_with_their_log_records(store: Store) -> None:
    """One in four of them, others in each draw, in a project of its own; what was there stays."""
    shop("whole").keep(store)
    drawn = list(thin(store, [case("whole", "exception")], 4))
    assert [it.name for it in drawn] == ["whole.4.0", "whole.4.1", "whole.4.2"]
    assert {it.one_in for it in drawn} == {4}
    assert DRAWS[4] == len(drawn)
    seen: list[Mapping[str, int]] = []
    whole = _spans(store, "whole")
    for each in drawn:
        kept = _spans(store, each.name)
        assert 0.15 < len(kept) / len(whole) < 0.35
        assert kept == {trace: whole[trace] for trace in kept}
        lines = "SELECT DISTINCT TraceId FROM otel_logs"
        told = store.of_project(each.name).query_arrow(lines).column("TraceId").to_pylist()
        assert told
        assert set(told) <= set(kept)
        assert not any(kept.keys() & before.keys() for before in seen)
        seen.append(kept)


def _spans(store: Store, project: str) -> dict[str, int]:
    """Return how many spans each of a project's traces has."""
    sql = "SELECT TraceId, count() AS Spans FROM otel_traces GROUP BY TraceId"
    found = store.of_project(project).query_arrow(sql).to_pylist()
    return {row["TraceId"]: row["Spans"] for row in found}


def test_each_constant_is_moved_alone() -> None:
    """All but those of confidence, to both sides; what is a share stays one, and a rule is turned round."""
    default, *others = tuning.grid()
    assert default == DEFAULT
    moved: dict[str, list[Any]] = {}
    for constants in others:
        [name] = [
            it.name for it in fields(Constants) if getattr(constants, it.name) != getattr(DEFAULT, it.name)
        ]
        moved.setdefault(name, []).append(getattr(constants, name))
    of_confidence = {"doubt", "sharpness", "most_sure", "single"}
    assert moved.keys() == {it.name for it in fields(Constants)} - of_confidence
    assert moved.pop("cut_off_is_thrown") == [False]
    assert all(low < getattr(DEFAULT, name) < high for name, (low, high) in moved.items())
    assert moved["together"] == pytest.approx([4.5 / 5.5, 18 / 19])
    assert moved["drift"] == [2.5, 10.0]


def test_a_kind_is_scored_with_what_the_others_chose() -> None:
    """The cases of one kind would want other constants; they have no say in their own figures."""
    other = replace(DEFAULT, drift=10.0)
    first, second = case("a", "exception"), case("b", "early_return")
    found = {
        DEFAULT: [answer(first, ("payment", 5.0)), answer(second, ("cart", 5.0))],
        other: [answer(first, ("cart", 5.0)), answer(second, ("payment", 5.0))],
    }
    chosen = {each.kind: each for each in tuning.leave_one_out(found)}
    assert chosen["exception"].constants == other
    assert not chosen["exception"].answers[0].service_right
    assert chosen["early_return"].constants == DEFAULT
    assert not chosen["early_return"].answers[0].service_right


def test_nobody_is_left_out_of_a_choice_that_is_level() -> None:
    """Where other constants are no better, the default stays."""
    answers = [
        answer(case("a", "exception"), ("payment", 5.0)),
        answer(case("b", "silent"), ("payment", 5.0)),
    ]
    found = {DEFAULT: answers, replace(DEFAULT, drift=10.0): answers}
    assert {each.constants for each in tuning.leave_one_out(found)} == {DEFAULT}


def test_confidence_is_computed_again_with_other_constants() -> None:
    """With the default it is what was said; more doubt makes it less."""
    said = answer(case("a", "exception"), ("payment", 6.0), ("cart", 3.0), sure=0.4)
    judged = Judged.of(said)
    assert judged.right
    assert judged.confidence(DEFAULT) == pytest.approx(0.4)
    assert judged.confidence(replace(DEFAULT, doubt=6.0)) < 0.4


def test_confidence_is_chosen_by_what_was_right() -> None:
    """Others were wrong at 3 nats and right at 12: the doubt that is chosen tells these apart."""
    judged = [Judged(kind, 1, [3.0], 1.0, right=False) for kind in ("a", "b")]
    judged += [Judged(kind, 1, [12.0], 1.0, right=True) for kind in ("a", "b")]
    for each in confidence.left_out(judged):
        assert Judged("c", 1, [3.0], 1.0, right=False).confidence(each.constants) < 0.5
        assert Judged("c", 1, [12.0], 1.0, right=True).confidence(each.constants) > 0.8
        assert confidence.loss(judged, each.constants) <= confidence.loss(judged, DEFAULT)
