"""The analysis with other constants, and what choosing them by other kinds of fault is worth.

Leave one kind out: the constants are chosen from a small grid around the default by the cases of all other
kinds, then the kind that was left out is scored with them. Figures that stay say that the constants are
not made for the faults that they are measured on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, get_type_hints

from glasshouse_collector.insights.analysis import analyse
from glasshouse_collector.insights.answer import answer_of
from glasshouse_collector.insights.constants import DEFAULT, Constants, Share
from glasshouse_collector.insights.windows import Question
from glasshouse_collector.store import QueryLimits, Store, StoreSettings
from glasshouse_collector.store.embedded import EmbeddedEngine
from glasshouse_collector.store.engine import Answer as Rows
from glasshouse_collector.store.engine import Options, Parameters
from insights.asking import Answer
from insights.cases import Case
from insights.scoring import Accuracy

FACTORS: Final = (0.5, 2.0)
"""By which each constant is moved, the others staying; of a share its odds, and a rule is left out."""
_CONFIDENCE: Final = ("doubt", "sharpness")
"""Constants that change no ranking; `insights.confidence` is about them."""
_LIMITS: Final = QueryLimits(rows=10_000_000, answer_bytes=2**30)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A kind of fault, the constants that the other kinds chose, and its cases with them."""

    kind: str
    constants: Constants
    answers: Sequence[Answer]


class Remembering(EmbeddedEngine):
    """A store that is asked the same again and again, and does not change."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._known: dict[str, Rows] = {}

    def query(self, sql: str, parameters: Parameters | None = None, options: Options | None = None) -> Rows:
        """Run a query, the first time."""
        key = repr((sql, parameters, options))
        if key not in self._known:
            self._known[key] = super().query(sql, parameters, options)
        return self._known[key]


def open_store(data: Path) -> Store:
    """Open the embedded store of a stopped collector."""
    path = (data / "store").resolve()
    return Store(Remembering(path), StoreSettings(dsn=f"chdb://{path}"))


def grid() -> Iterator[Constants]:
    """Yield the default, then it with each of its constants moved."""
    yield DEFAULT
    kinds = get_type_hints(Constants, include_extras=True)
    for constant in fields(Constants):
        if constant.name not in _CONFIDENCE:
            for value in _moved(getattr(DEFAULT, constant.name), share=kinds[constant.name] is Share):
                yield replace(DEFAULT, **{constant.name: value})


def _moved(value: float | bool, *, share: bool) -> Sequence[float | bool]:
    if isinstance(value, bool):
        return (not value,)
    if share:
        return [value * factor / (1 - value + value * factor) for factor in FACTORS]
    return [value * factor for factor in FACTORS]


def answered(store: Store, case: Case, constants: Constants) -> Answer:
    """Return the answer with these constants; the case's project is named as it is."""
    question = Question(case.incident, case.baselines)
    analysis = analyse(store.of_project(case.name), question, _LIMITS, constants=constants)
    return Answer(case, answer_of(analysis), 0.0)


def leave_one_out(store: Store, cases: Sequence[Case]) -> list[LeftOut]:
    """Return each kind with the constants that the cases of the other kinds choose."""
    tried = {constants: [answered(store, case, constants) for case in cases] for constants in grid()}
    kinds = sorted({case.kind for case in cases})
    return [_left_out(kind, tried) for kind in kinds]


def _left_out(kind: str, tried: Mapping[Constants, Sequence[Answer]]) -> LeftOut:
    def worth(constants: Constants) -> tuple[float, ...]:
        others = [it for it in tried[constants] if it.case.kind != kind]
        accuracy = Accuracy.of(it.placing for it in others)
        return accuracy.top1, sum(it.kind_right for it in others) / len(others), accuracy.avg5

    chosen = max(tried, key=worth)  # of equals the first, so the default before others
    return LeftOut(kind, chosen, [it for it in tried[chosen] if it.case.kind == kind])


def changed(constants: Constants) -> str:
    """Return what differs from the default, in words."""
    moved = [
        f"{it.name} {getattr(constants, it.name):g} instead of {getattr(DEFAULT, it.name):g}"
        for it in fields(Constants)
        if getattr(constants, it.name) != getattr(DEFAULT, it.name)
    ]
    return ", ".join(moved) or "the default"


def table(left_out: Sequence[LeftOut]) -> str:
    """Return each kind that was left out, and how its cases fare."""
    lines = [
        "| left out | cases | service top-1 | top-3 | service and kind | constants chosen by the others |"
    ]
    lines.append("|---|---|---|---|---|---|")
    rows: list[tuple[str, Sequence[Answer], str]] = [
        (each.kind, each.answers, changed(each.constants)) for each in left_out
    ]
    rows.append(("all", [it for each in left_out for it in each.answers], ""))
    for kind, answers, constants in rows:
        accuracy = Accuracy.of(it.placing for it in answers)
        right = sum(it.kind_right for it in answers) / len(answers)
        shares = " | ".join(f"{100 * share:.1f}" for share in (accuracy.top1, accuracy.top3, right))
        lines.append(f"| {kind} | {len(answers)} | {shares} | {constants} |")
    return "\n".join(lines) + "\n"


def as_json(left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """Return the same for a program."""
    return [
        {
            "kind": each.kind,
            "constants": {it.name: getattr(each.constants, it.name) for it in fields(Constants)},
            "cases": {
                it.case.name: {"service": it.service_right, "kind": it.kind_right} for it in each.answers
            },
        }
        for each in left_out
    ]
