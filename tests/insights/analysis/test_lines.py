"""Evidence that something is said, or fails, names log records that anybody can open and read it in."""

import random

import pytest

from glasshouse_collector.api.logs.model import LogRecord
from glasshouse_collector.api.logs.place import parse_id
from glasshouse_collector.api.logs.reading import read_context
from glasshouse_collector.insights.findings import MOST_SHOWN, Analysis, Evidence, EvidenceKind
from glasshouse_collector.store import QueryLimits, Store
from made_faults import refuses, returns_early, says_that_it_threw, throws
from made_traces import ERROR, INFO, Fault, Work, analysed, shop

PEOPLE = ("Ada", "Bela", "Chidi", "Dana", "Emre", "Fumiko", "Goran", "Hana", "Ines")
THROWS = throws("payment", "POST /pay", "CardDeclined", 0.8)


def throws_and_says(request: Work, dice: random.Random) -> None:
    """Let payment throw, and say so in an error beside what it always says."""
    THROWS(request, dice)
    way = request.way_to("payment", "POST /pay")
    if way and way[-1].failed:
        way[-1].says += [(ERROR, f"Declined: card {dice.randrange(10**6)}"), (INFO, "Cleaning up")]


def greets(request: Work, dice: random.Random) -> None:
    """Let pricing say what it never said, to one of many people, instead of its work."""
    if way := request.way_to("pricing", "POST /quote"):
        way[-1].says = [
            (INFO, f"Turned {dice.choice(PEOPLE)} away for good reasons"),
            (INFO, "Turned around"),
        ]
        way[-1].calls = []


@pytest.mark.parametrize(
    ("name", "fault", "service", "said"),
    [
        ("lines-refuses", refuses, "stock", "Nothing is left of [sku: 12]"),
        ("lines-threw", says_that_it_threw, "payment", "java.lang.IllegalStateException: no currency"),
    ],
    ids=["refuses", "threw"],
)
def test_a_line_that_is_said_is_shown(store: Store, name: str, fault: Fault, service: str, said: str) -> None:
    """The records say what the evidence says, are of its service and of its traces, one of each first."""
    found = analysed(store, shop(name, fault))
    told = _told(found, EvidenceKind.LOG_PATTERN)
    each = next(each for each in told if each.service == service)
    records = _opened(store, name, each)
    assert len(records) == len(set(each.log_ids)) == MOST_SHOWN
    assert all(said in record.body and record.service_name == service for record in records)
    assert [record.trace_id for record in records] == list(each.trace_ids)


def test_a_line_with_words_for_values_is_shown(store: Store) -> None:
    """Records say the same whoever they name; another line beside it is not among them."""
    found = analysed(store, shop("lines-people", greets))
    each = next(each for each in _told(found, EvidenceKind.LOG_PATTERN) if "away" in each.template)
    records = _opened(store, "lines-people", each)
    assert len(records) == MOST_SHOWN
    assert all(record.body.endswith("away for good reasons") for record in records)


def test_an_exception_is_shown_by_its_errors(store: Store) -> None:
    """Of a span that failed, the errors of its service and trace are shown, and nothing else it said."""
    found = analysed(store, shop("lines-fails", throws_and_says))
    (each,) = [each for each in _told(found, EvidenceKind.EXCEPTION) if each.service == "payment"]
    records = _opened(store, "lines-fails", each)
    assert len(records) == MOST_SHOWN
    assert all(record.body.startswith("Declined: card") for record in records)
    assert {record.trace_id for record in records} == set(each.trace_ids)


def test_an_exception_without_a_record_has_none(store: Store) -> None:
    """Where nothing was logged, nothing is shown."""
    found = analysed(store, shop("lines-silent", THROWS))
    told = _told(found, EvidenceKind.EXCEPTION)
    assert told
    assert all(each.log_ids == () for each in told)


def test_what_is_not_said_any_more_has_no_record(store: Store) -> None:
    """A missing line is in no record."""
    found = analysed(store, shop("lines-missing", returns_early))
    told = _told(found, EvidenceKind.MISSING_LOG)
    assert told
    assert all(each.log_ids == () for each in told)


def _told(found: Analysis, kind: EvidenceKind) -> list[Evidence]:
    return [each for cause in found.root_causes[:3] for each in cause.evidence if each.kind is kind]


def _opened(store: Store, project: str, evidence: Evidence) -> list[LogRecord]:
    """Open each record as `GET /api/v1/logs/{id}/context` does."""
    kept = store.of_project(project)
    contexts = [read_context(kept, parse_id(each), 1, QueryLimits()) for each in evidence.log_ids]
    return [context.log for context in contexts if context is not None]
