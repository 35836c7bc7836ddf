"""The analysis with other constants, and what choosing them by other kinds of fault is worth.

Leave one kind out: the constants are chosen from a grid around the default by the cases of all other kinds,
then the kind that was left out is scored with them. Figures that stay say that the constants are not made
for the faults that they are measured on. All constants are in the grid: none is settled elsewhere.
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
HALF: Final = 2
"""The cases are tried in whole, and twice with one trace in so many."""
_SHARES: Final = "service top-1 | top-3 | service and kind"
_COLUMNS: Final = f"cases | {_SHARES} | with half the traces | {_SHARES}"
_RULES: Final = "---|" * 8
_CONFIDENCE: Final = ("doubt", "sharpness", "most_sure", "single")
"""Constants that change no ranking; `insights.confidence` is about them."""
_LIMITS: Final = QueryLimits(rows=10_000_000, answer_bytes=2**30)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A kind of fault, the constants that the other kinds chose, and its cases with them."""

    kind: str
    constants: Constants
    answers: Sequence[Answer]


Tried = Mapping[Constants, Sequence[Answer]]


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


def _moved(value: float | bool, *, share: bool) -> Sequence[Any]:
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


def tried(store: Store, cases: Sequence[Case]) -> Tried:
    """Return the answers to all cases with each of the grid's constants."""
    return {constants: [answered(store, case, constants) for case in cases] for constants in grid()}


def leave_one_out(found: Tried) -> list[LeftOut]:
    """Return each kind with the constants that the cases of the other kinds choose."""
    kinds = sorted({answer.case.kind for answer in found[DEFAULT]})
    return [_left_out(kind, found) for kind in kinds]


def _left_out(kind: str, found: Tried) -> LeftOut:
    def worth(constants: Constants) -> tuple[float, ...]:
        others = [it for it in found[constants] if it.case.kind != kind]
        accuracy = Accuracy.of(it.placing for it in others)
        return accuracy.top1, sum(it.kind_right for it in others) / len(others), accuracy.avg5

    chosen = max(found, key=worth)  # of equals the first, so the default before others
    return LeftOut(kind, chosen, [it for it in found[chosen] if it.case.kind == kind])


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
    rows: list[tuple[str, Sequence[Answer], str]] = [
        (each.kind, each.answers, changed(each.constants)) for each in left_out
    ]
    rows.append(("all", [it for each in left_out for it in each.answers], ""))
    lines = [f"| left out | {_COLUMNS} | constants chosen by the others |", f"|---|{_RULES}---|"]
    lines += [f"| {kind} | {_shares(answers)} | {constants} |" for kind, answers, constants in rows]
    return "\n".join(lines) + "\n"


def moved_table(found: Tried) -> str:
    """Return how all cases fare with each constant moved, the default first."""
    lines = [f"| | {_COLUMNS} |", f"|---|{_RULES}"]
    lines += [f"| {changed(constants)} | {_shares(answers)} |" for constants, answers in found.items()]
    return "\n".join(lines) + "\n"


def _shares(answers: Sequence[Answer]) -> str:
    """Return the columns of all cases in whole, and of those with half their traces."""
    told = []
    for one_in in (1, HALF):
        wanted = [it for it in answers if it.case.one_in == one_in]
        accuracy = Accuracy.of(it.placing for it in wanted)
        right = sum(it.kind_right for it in wanted) / len(wanted)
        told += [str(len(wanted)), *(f"{100 * it:.1f}" for it in (accuracy.top1, accuracy.top3, right))]
    return " | ".join(told)


def as_json(left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """Return each kind that was left out for a program."""
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
