"""Normal times that an incident is compared with."""

from glasshouse_collector.insights.baselines import question_for
from glasshouse_collector.insights.windows import Window
from glasshouse_collector.store import QueryLimits, Store
from told_traffic import DAY, MINUTE, NOON, Shop, between

INCIDENT = Window(NOON, NOON + 5 * MINUTE)


def minutes(first: int, last: int) -> Window:
    """Return a window by minutes from noon."""
    return Window(NOON + first * MINUTE, NOON + last * MINUTE)


def test_it_is_the_time_just_before(store: Store) -> None:
    """Without the last minute, in which it may have begun."""
    Shop().keep(store, NOON - 60 * MINUTE, 70, project="before")
    question = question_for(store.of_project("before"), INCIDENT, QueryLimits())
    assert question.incident == INCIDENT
    assert question.baselines == (minutes(-11, -1),)


def test_times_of_other_incidents_and_without_telemetry_are_left_out(store: Store) -> None:
    """Earlier ones take their place."""
    Shop(requests=lambda minute: 0.0 if 55 <= minute < 58 else 30.0).keep(
        store, NOON - 60 * MINUTE, 70, project="others"
    )
    view = store.of_project("others")
    question = question_for(view, INCIDENT, QueryLimits(), [minutes(-9, -7)])
    assert question.baselines == (minutes(-16, -9), minutes(-7, -5), minutes(-2, -1))


def test_the_same_minutes_of_earlier_days_are_looked_at_too(store: Store) -> None:
    """Where there was traffic then."""
    for day in (0, 1):
        Shop().keep(store, NOON - day * DAY - 30 * MINUTE, 40, day + 1, "days")
    question = question_for(store.of_project("days"), INCIDENT, QueryLimits())
    assert question.baselines == (minutes(-11, -1), Window(INCIDENT.start - DAY, INCIDENT.end - DAY))


def test_of_a_new_project_there_is_none(store: Store) -> None:
    """Or what little there is."""
    view = store.of_project("nobody")
    assert question_for(view, INCIDENT, QueryLimits()).baselines == ()
    Shop(requests=between(0, 2, 30.0)).keep(store, NOON - 2 * MINUTE, 2, project="new")
    assert question_for(store.of_project("new"), INCIDENT, QueryLimits()).baselines == (minutes(-2, 0),)
    assert question_for(view, Window(1, 2), QueryLimits()).baselines == ()
