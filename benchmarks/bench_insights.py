"""Hold the analysis of incidents against faults whose cause is known.

    .venv/bin/python benchmarks/bench_insights.py [part …] [--json FILE]

Each part prints its tables when it is done. Exit code 1: a part was not measured; 2: a mistake in what was
asked for.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from glasshouse_collector.insights.constants import DEFAULT
from glasshouse_collector.store import Store
from insights import confidence, quiet, scale, shop, trainticket, tuning
from insights.asking import Answer
from insights.cases import Case, train_ticket
from insights.comparison import calibration_table
from insights.scoring import calibration
from insights.thinned import DRAWS, thin
from programs import Failed
from report import Report

PARTS: Final = {
    "trainticket": "28 recorded cases of four kinds of fault, beside simple rankings and published figures",
    "shop": "ten faults of the shop, asked about while visitors go on coming (half an hour)",
    "quiet": "hours of the shop's quiet traffic: how many incidents are found in them",
    "scale": "an incident of 5 M spans: seconds and memory",
    "leave-one-out": "each kind of fault with constants that the other kinds chose (half an hour)",
    "confidence": "the cases with less and less of their traces: is as much right as is said",
}


_SCALED: Final = "tt-07"
"""The case that is made large."""


class _Results:
    """What the parts found, printed as it comes, and as JSON at the end."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.json: dict[str, Any] = {"reports": []}

    def show(self, report: Report, *more: str) -> None:
        """Print a part's tables."""
        self.json["reports"].append(report.as_json())
        print("\n".join([report.markdown(), *more]), flush=True)


def main() -> None:
    """Run the parts asked for."""
    options = _options()
    results = _Results()
    failed = False
    for part in options.parts or ["trainticket"]:
        try:
            _RUN[part](options, results)
        except (Failed, OSError) as failure:
            failed = True
            print(f"{part}: not measured: {failure}", file=sys.stderr, flush=True)
    if results.answers:
        _calibration(results)
    if options.json:
        options.json.write_text(json.dumps(results.json, indent=1))
    sys.exit(1 if failed else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:12} {what}" for name, what in PARTS.items()),
    )  # fmt: skip
    parser.add_argument("parts", nargs="*", metavar="part", help="which; trainticket if none is named")
    parser.add_argument("--cases", help="of Train Ticket only these, as tt-01,tt-02")
    parser.add_argument("--faults", help="of the shop these, as payment:pool,cart:leak; `other`: ten others")
    parser.add_argument("--seed", type=int, default=7, help="which visitors come to the shop")
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="keep what the shop sent there")
    parser.add_argument(
        "--replay", type=Path, metavar="FOLDER", help="a kept run of the shop instead of a new one"
    )
    parser.add_argument("--hours", type=float, default=quiet.HOURS, help="of quiet traffic that are watched")
    parser.add_argument("--spans", type=int, default=scale.SPANS, help="of the incident of the part scale")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write each case's ranking there")
    parser.add_argument(
        "--trainticket",
        type=Path,
        default=Path(os.environ.get("TRAINTICKET") or "../shared/data/trainticket"),
        help="folder of the Train Ticket recordings ($TRAINTICKET)",
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    if "shop" not in options.parts and options.record:
        parser.error("--record is of the part shop")
    if not {"shop", "quiet", "scale"} & set(options.parts) and options.replay:
        parser.error("--replay is of the parts shop, quiet and scale")
    if {"trainticket", "scale", "leave-one-out", "confidence"} & set(options.parts or ["trainticket"]):
        sheet = options.trainticket / "cases.json"
        if not sheet.exists():
            parser.error(f"{sheet} is not there; name the folder of the recordings with TRAINTICKET=FOLDER")
    return options


def _train_ticket(options: argparse.Namespace, results: _Results) -> None:
    cases = train_ticket(options.trainticket)
    if options.cases:
        wanted = options.cases.split(",")
        cases = [case for case in cases if case.name in wanted]
        if len(cases) != len(wanted):
            raise Failed(f"--cases: not all of {options.cases} are there")
    found = trainticket.run(cases, _tell)
    results.answers += found.answers
    results.json["trainticket"] = trainticket.as_json(found)
    results.show(trainticket.report(found), trainticket.tables(found))


def _shop(options: argparse.Namespace, results: _Results) -> None:
    if options.replay:
        answers = shop.run_recorded(options.replay, _tell)
    else:
        answers = shop.run(_faults(options.faults), options.seed, options.record, _tell)
    results.answers += answers
    results.json["shop"] = [answer.as_json() for answer in answers]
    results.show(shop.report(answers), shop.table(answers))


def _quiet(options: argparse.Namespace, results: _Results) -> None:
    report, _ = quiet.run(options.hours, options.seed, options.replay)
    results.show(report)


def _scale(options: argparse.Namespace, results: _Results) -> None:
    if options.replay:
        case = shop.recorded_cases(options.replay)[0]
    else:
        [case] = [it for it in train_ticket(options.trainticket) if it.name == _SCALED]
    report, answer = scale.run(case, options.spans)
    results.json["scale"] = answer.as_json()
    results.show(report)


def _leave_one_out(options: argparse.Namespace, results: _Results) -> None:
    with _filled(options) as (store, cases):
        found = tuning.tried(store, [*cases, *thin(store, cases, tuning.HALF)])
    left_out = tuning.leave_one_out(found)
    results.json["leave_one_out"] = tuning.as_json(left_out)
    print("### Each kind of fault with constants that the other kinds chose\n")
    print(tuning.table(left_out))
    print("### All cases with each constant moved\n")
    print(tuning.moved_table(found), flush=True)


def _confidence(options: argparse.Namespace, results: _Results) -> None:
    with _filled(options) as (store, cases):
        less = [case for one_in in DRAWS for case in thin(store, cases, one_in)]
        answers = [tuning.answered(store, case, DEFAULT) for case in (*cases, *less)]
    results.json["confidence"] = confidence.as_json(answers)
    print("### Of what is said with a confidence, how much is right where there is less to go by\n")
    print(confidence.tables(answers), flush=True)


@contextmanager
def _filled(options: argparse.Namespace) -> Iterator[tuple[Store, Sequence[Case]]]:
    """Yield a store with the cases of Train Ticket, each in a project of its name."""
    cases = train_ticket(options.trainticket)
    with tempfile.TemporaryDirectory(prefix="bench-insights-", ignore_cleanup_errors=True) as folder:
        trainticket.fill(cases, Path(folder))
        with closing(tuning.open_store(Path(folder))) as store:
            yield store, cases


def _faults(written: str | None) -> Sequence[str]:
    if written is None:
        return shop.TEN
    return shop.OTHER_TEN if written == "other" else written.split(",")


def _calibration(results: _Results) -> None:
    by_service = calibration((it.first["confidence"], it.service_right) for it in results.answers if it.first)
    print("### Of what is said with a confidence, how much is right: the service\n")
    print(calibration_table(by_service))
    by_kind = calibration((it.first["confidence"], it.kind_right) for it in results.answers if it.first)
    print("### The service and the kind of fault\n")
    print(calibration_table(by_kind))


def _tell(answer: Answer) -> None:
    """Say on standard error how a case went, as it goes."""
    first, case = answer.first, answer.case
    said = f"{first['service']} {first['operation']} {first['kind']}" if first else "nothing"
    verdict = "right" if answer.all_right else "service right" if answer.service_right else "WRONG"
    wanted = f"{case.service} {case.operation} {case.kind}"
    print(
        f"{case.name}: {verdict}: {said}; it was {wanted} ({answer.seconds:.1f} s)",
        file=sys.stderr,
        flush=True,
    )


_RUN: Final[dict[str, Callable[[argparse.Namespace, _Results], None]]] = {
    "trainticket": _train_ticket,
    "shop": _shop,
    "quiet": _quiet,
    "scale": _scale,
    "leave-one-out": _leave_one_out,
    "confidence": _confidence,
}

if __name__ == "__main__":
    main()
