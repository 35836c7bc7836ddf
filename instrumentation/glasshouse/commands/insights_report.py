"""Insights as text to read: what, where, since when, why, and what to do, in a hundred columns."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

from glasshouse.client import models
from glasshouse.commands.asking import printable

WIDTH: Final = 100
_MOST_CAUSES: Final = 3
_MOST_EVIDENCE: Final = 6
_MOST_TRACES: Final = 2
"""Of one piece of evidence: two ids fit a line."""
_MOST_ROWS: Final = 10
_SECOND: Final = 19
"""Characters of a time up to its seconds."""
_TIME_OF_DAY: Final = 11
_NEARLY: Final = 0.99
_WHOLE: Final = 10
"""From which on scores are told as whole numbers."""
_COLOURS: Final = {"critical": "magenta", "high": "red", "medium": "yellow", "low": "blue"}


def insights_report(found: models.Insights) -> Iterator[str]:
    """Return the lines that tell of the last minutes."""
    yield from _head(_last(found["lookback_minutes"]), found)
    for incident in found["incidents"]:
        yield from _incident(incident)
    yield from _paragraph("What happened", found["incident_summary"])
    if found["source"] == "llm" or not found["root_causes"]:  # else the causes below say the same
        yield from _paragraph("Cause", found["root_cause"])
    yield from _causes(found["root_causes"])
    yield from _paragraph("What to do", found["suggestion"])
    yield from _errors(found)
    yield from _rows("Changes", (_change(it) for it in found["recent_changes"]))
    moments = ((_time(it["time"]), _told(it["service"], it["text"])) for it in found["timeline"])
    yield from _rows("Timeline", moments)
    similar = ((it["start_time"][:10], f"{it['title']}: {it['found']}") for it in found["similar_incidents"])
    yield from _rows("Similar incidents", similar)
    if found["analyzed"]:
        yield from _compared(found["analyzed"], found["baselines"])
    if found["source"] == "llm":
        yield from ("", click.style(f"Worded by {printable(found['model'])}, from this evidence.", dim=True))
    elif found["fallback_reason"]:
        yield from _notes([f"the language model did not word it: {found['fallback_reason']}"])
    yield from _notes(found["notes"])


def analysis_report(found: models.AnalysisAnswer) -> Iterator[str]:
    """Return the lines that tell of a window."""
    yield from _head("Window", found)
    steps = (f"{_place(it['service'], it['operation'])}: {it['effect']}" for it in found["symptoms"])
    yield from _rows("What requests met with", (("", step) for step in steps))
    if not found["root_causes"]:
        anything = found["traces"] or found["log_records"] or found["symptoms"]
        calm = (
            "Nothing stands out against normal times." if anything else "There was no telemetry in this time."
        )
        yield from _paragraph("Cause", calm)
    yield from _causes(found["root_causes"])
    yield from _compared(None, found["baselines"])
    looked = f"{found['traces']:,} traces, {found['spans']:,} spans, {found['log_records']:,} log records"
    sampled = f"; one trace in {found['one_in']:,}" if found["one_in"] > 1 else ""
    yield from _notes([f"looked at {looked}{sampled}", *found["notes"]])


def _head(title: str, window: models.Insights | models.AnalysisAnswer) -> Iterator[str]:
    start, end = _time(window["start_time"]), _time(window["end_time"])
    yield click.style(f"{title}: {start} to {end} UTC", bold=True)


def _incident(incident: models.IncidentSummary) -> Iterator[str]:
    until = f"to {_time(incident['end_time'])}" if incident["end_time"] else "and it goes on"
    severity = click.style(incident["severity"].upper(), fg=_COLOURS.get(incident["severity"]))
    yield ""
    yield f"{severity}  {_cut(incident['title'], WIDTH - 10)}"
    named = f"  ({incident['id']})" if incident["id"] else ""
    yield f"  from {_time(incident['start_time'])} {until}{named}"
    if incident["services"]:
        yield from _wrapped(f"touches {', '.join(incident['services'])}", "  ", "    ")


def _causes(causes: Sequence[models.RootCauseShown]) -> Iterator[str]:
    for number, cause in enumerate(causes[:_MOST_CAUSES], 1):
        yield ""
        where = _place(cause["service"], cause["operation"])
        title = f"{number}. {where}: {cause['kind'].replace('_', ' ')}"
        yield from (click.style(line, bold=True) for line in _wrapped(title, "", "   "))
        facts = [f"confidence {_share(cause['confidence'])}", f"score {score_text(cause['score'])}"]
        facts += [f"since {_time(cause['start_time'])}"] if cause["start_time"] else []
        facts += [f"instance {cause['resource']} alone"] if cause["resource"] else []
        facts += [f"by {cause['dependency']}"] if cause["dependency"] else []
        yield from _wrapped(", ".join(facts), "   ", "   ")
        yield from _wrapped(cause["reason"], "   ", "   ")
        for evidence in cause["evidence"][:_MOST_EVIDENCE]:
            yield from _evidence(evidence, cause["reason"])
        left = len(cause["evidence"]) - _MOST_EVIDENCE
        if left > 0:
            yield click.style(f"   … and {left} more (--json)", dim=True)
        if cause["path"]:
            yield from _path(cause["path"])
    if len(causes) > _MOST_CAUSES:
        yield from ("", click.style(f"… and {len(causes) - _MOST_CAUSES} less likely (--json)", dim=True))


def _evidence(evidence: models.EvidenceShown, said: str) -> Iterator[str]:
    """Tell a piece of evidence, without its sentence where the reason has it."""
    if evidence["text"] not in said:
        yield from _wrapped(evidence["text"], "   • ", "     ")
    if evidence["trace_ids"]:
        ids = " ".join(printable(it) for it in evidence["trace_ids"][:_MOST_TRACES])
        yield click.style(
            f"     glasshouse trace {ids}" if " " not in ids else f"     traces {ids}", dim=True
        )


def _path(path: Sequence[models.PathStepShown]) -> Iterator[str]:
    """Draw the way from the root to the symptom, a step a line."""
    for number, step in enumerate(path):
        said = f"{_place(step['service'], step['operation'])}  {step['effect']}".rstrip()
        arrow = "   " + ("→ " if number else "  ")
        yield from _wrapped(said, arrow, "       ")


def _errors(found: models.Insights) -> Iterator[str]:
    rows = (
        (f"{it['count']:,}x", _error(it["service"], it["type"], it["place"], it["message"]))
        for it in found["error_groups"]
    )
    yield from _rows("Errors", rows)
    together = (
        (f"{it['shared_traces']:,}x", ", ".join(f"{of['service']} {of['type']}" for of in it["groups"]))
        for it in found["dependent_error_groups"]
    )
    yield from _rows("Errors in the same traces", together)


def _error(service: str, kind: str, place: str, message: str) -> str:
    """Return where something fails and with what: its message, else the place that raised it."""
    where = f"{service} {kind}"
    return f"{where}: {message}" if message else f"{where} in {place}" if place else where


def _told(service: str, text: str) -> str:
    """Return what happened, with the service where the text does not name it."""
    return text if service in text else f"{service}: {text}"


def _change(change: models.ChangeShown) -> tuple[str, str]:
    before, after = change["before"] or "(none)", change["after"] or "(gone)"
    return _time(change["time"]), f"{change['service']} {change['attribute']}: {before} → {after}"


def _rows(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Return rows of a short and a long cell under their title, nothing where there are none."""
    told = [(printable(first), second) for first, second in rows]
    if not told:
        return
    yield from ("", click.style(title, bold=True))
    width = max(len(first) for first, _ in told[:_MOST_ROWS])
    for first, second in told[:_MOST_ROWS]:
        begin = f"  {first.ljust(width)}  " if width else "  "
        yield from _wrapped(second, begin, " " * len(begin), most=2)
    if len(told) > _MOST_ROWS:
        yield click.style(f"  … and {len(told) - _MOST_ROWS} more (--json)", dim=True)


def _paragraph(title: str, text: str) -> Iterator[str]:
    if text:
        yield from ("", click.style(title, bold=True))
        for line in text.splitlines():
            yield from _wrapped(line, "  ", "    " if line.startswith("- ") else "  ")


def _compared(analyzed: models.TimeWindow | None, baselines: Sequence[models.TimeWindow]) -> Iterator[str]:
    of = f"{_window(analyzed)} " if analyzed else ""
    with_ = ", ".join(_window(each) for each in baselines) or "nothing: no normal times are known"
    yield ""
    yield from (click.style(it, dim=True) for it in _wrapped(f"{of}compared with {with_}", "", "  "))


def _notes(notes: Iterable[str]) -> Iterator[str]:
    for note in notes:
        yield from (click.style(it, dim=True) for it in _wrapped(f"note: {note}", "", "  "))


def _window(window: models.TimeWindow) -> str:
    start, end = _time(window["start_time"]), _time(window["end_time"])
    same_day = start[:_TIME_OF_DAY] == end[:_TIME_OF_DAY]
    return f"{start} to {end[_TIME_OF_DAY:] if same_day else end}"


def _place(service: str, operation: str) -> str:
    return f"{service} {operation}".strip()


def _time(written: str | None) -> str:
    return printable((written or "")[:_SECOND].replace("T", " "))


def _last(minutes: int) -> str:
    """Return so many minutes as people say it: the last 5 minutes, the last hour, the last 3 hours."""
    for size, name in ((1440, "day"), (60, "hour")):
        if minutes % size == 0:
            count = minutes // size
            return f"Last {name}" if count == 1 else f"Last {count} {name}s"
    return f"Last {minutes} minutes"


def score_text(score: float) -> str:
    """Return a score with two or three digits, and without an exponent."""
    return f"{score:,.0f}" if score >= _WHOLE else f"{score:.2g}" if score >= 1 else f"{score:.2f}"


def _share(confidence: float) -> str:
    """Return a share that never claims to be sure."""
    return "over 99%" if confidence > _NEARLY else f"{confidence:.0%}"


def _cut(text: str, most: int) -> str:
    shown = " ".join(printable(text).split())
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _wrapped(text: str, first: str, then: str, most: int | None = None) -> list[str]:
    """Return what a sender may have written, harmless and in lines; cut after `most` of them."""
    return textwrap.wrap(
        " ".join(printable(text).split()),
        WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_on_hyphens=False,
        max_lines=most,
        placeholder=" …",
    )
