"""Faults that a request to the made-up shop meets, each in one service."""

import random
from collections.abc import Sequence

from made_traces import ERROR, INFO, Fault, Work


def throws(service: str, operation: str, kind: str, share: float = 1.0) -> Fault:
    """Return: it throws before it has called anybody, and so do all that wait for it."""

    def fault(request: Work, dice: random.Random) -> None:
        way = request.way_to(service, operation)
        if way and dice.random() < share:
            way[-1].calls, way[-1].says = [], way[-1].says[:1]
            fail(way, kind)

    return fault


def fail(way: Sequence[Work], kind: str) -> None:
    """Make the last one fail with an exception, and each of its callers for it, who then go no further."""
    for caller, called in zip(way, [*way[1:], None], strict=True):
        caller.failed = kind if called is None else "CallFailed"
        if called is not None:
            caller.calls = caller.calls[: caller.calls.index(called) + 1]


def says_that_it_threw(request: Work, _: random.Random) -> None:
    """Let payment throw: only its log lines tell, no span has a status."""
    if way := request.way_to("payment", "POST /pay"):
        lines = way[-1].says
        way[-1].says = [lines[0], (ERROR, "java.lang.IllegalStateException: no currency of [card: 17]")]
        way[-1].calls = []


def returns_early(request: Work, _: random.Random) -> None:
    """Let pricing return before its tax is added and before it says so."""
    if way := request.way_to("pricing", "POST /quote"):
        way[-1].calls, way[-1].says = [], []


def refuses(request: Work, _: random.Random) -> None:
    """Let stock refuse: it says why, and orders takes another branch, without payment and parcel."""
    if way := request.way_to("stock", "POST /reserve"):
        stock, placed = way[-1], way[-3]
        stock.says = [stock.says[0], (ERROR, "Nothing is left of [sku: 12]")]
        stock.calls = []
        placed.says = [(INFO, "Order cannot be placed now")]
        placed.calls = placed.calls[:1]


def writes_row_by_row(request: Work, _: random.Random) -> None:
    """Let stock update its rows one by one instead of all at once."""
    if way := request.way_to("stock", "reserve rows"):
        way[-1].calls = way[-1].calls * 6


def works_longer(service: str, operation: str, milliseconds: float) -> Fault:
    """Return: own work of one operation takes longer by so much."""

    def fault(request: Work, dice: random.Random) -> None:
        if way := request.way_to(service, operation):
            way[-1].own += milliseconds * dice.uniform(0.8, 1.2)

    return fault


def is_reached_late(service: str, milliseconds: float) -> Fault:
    """Return: so much is lost on each way to a service and back, whoever calls it."""

    def fault(request: Work, dice: random.Random) -> None:
        for each in request.everything():
            if each.way and each.service == service:
                each.way += milliseconds * dice.uniform(0.8, 1.2)

    return fault


def waits_for_cards(request: Work, dice: random.Random) -> None:
    """Let what charges cards, which sends no telemetry, answer late."""
    if way := request.way_to("payment", "POST"):
        way[-1].own += dice.uniform(100, 200)


def fails_at_cards(request: Work, dice: random.Random) -> None:
    """Let what charges cards refuse connections, in most requests."""
    way = request.way_to("payment", "POST")
    if way and dice.random() < 0.8:
        way[-2].says = way[-2].says[:1]
        fail(way, "ConnectionRefusedError")


def has_no_connection_left(request: Work, dice: random.Random) -> None:
    """Let stock wait for a connection of its pool until it gives up."""
    way = request.way_to("stock", "reserve rows")
    if way and dice.random() < 0.7:
        way[-1].calls, way[-1].own = [], 500.0
        way[-1].says = [(ERROR, "HikariPool-1 - Connection is not available, request timed out after 500ms")]
        fail(way, "SQLTransientConnectionException")


def fails_in_version(version: str) -> Fault:
    """Return: half of the requests meet a new version of stock, and it throws."""
    throw = throws("stock", "POST /reserve", "KeyError")

    def fault(request: Work, dice: random.Random) -> None:
        if dice.random() < 0.5:
            for each in request.everything():
                if each.service == "stock":
                    each.version = version
            throw(request, dice)

    return fault


def is_silent(service: str) -> Fault:
    """Return: no span of a service arrives; its callers get their answers from somewhere."""

    def fault(request: Work, _: random.Random) -> None:
        for each in request.everything():
            each.calls = [call for call in each.calls if call.service != service or each.service == service]

    return fault


def some(fault: Fault, share: float) -> Fault:
    """Return: the fault meets such a share of requests."""

    def sometimes(request: Work, dice: random.Random) -> None:
        if dice.random() < share:
            fault(request, dice)

    return sometimes
