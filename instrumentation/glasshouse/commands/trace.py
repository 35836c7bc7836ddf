"""`glasshouse trace ID`: one trace as a tree."""

from collections import defaultdict
from typing import Final

import click

from glasshouse.client import Client, models
from glasshouse.commands.asking import as_json, asks, duration, printable
from glasshouse.commands.logs import line

_BAR: Final = 24
_Children = dict[str | None, list[models.TraceSpan]]


@click.command()
@click.argument("trace_id")
@click.option("--logs", is_flag=True, help="Show the log records under their spans.")
@click.option("--attributes", is_flag=True, help="Show the spans' attributes.")
@click.option("--json", "json_", is_flag=True, help="The whole answer as JSON.")
@asks
def trace(client: Client, trace_id: str, logs: bool, attributes: bool, json_: bool) -> None:
    """Show a trace as a tree: where its time went, and what failed.

    Beside each span stand its duration, the time of its own, and when in the trace it ran; * marks the
    critical path, what the whole trace waited for.
    """
    found = client.trace(trace_id)
    click.echo(as_json(found) if json_ else "\n".join(_Tree(found, logs=logs, attributes=attributes).lines()))


class _Tree:
    """Draws one trace."""

    def __init__(self, trace: models.Trace, *, logs: bool, attributes: bool) -> None:
        self._trace = trace
        self._attributes = attributes
        self._critical = {segment["span_id"] for segment in trace["critical_path"]}
        starts = [int(span["start_time_unix_nano"]) for span in trace["spans"]]
        self._began = min(starts, default=0)
        self._children: _Children = defaultdict(list)
        present = {span["span_id"] for span in trace["spans"]}
        for span in trace["spans"]:
            parent = span["parent_span_id"]
            self._children[parent if parent in present else None].append(span)
        self._logs: dict[str | None, list[models.LogRecord]] = defaultdict(list)
        for record in trace["logs"] if logs else []:
            self._logs[record["span_id"] if record["span_id"] in present else None].append(record)

    def lines(self) -> list[str]:
        """Return the tree, a line each."""
        trace = self._trace
        services = ", ".join(printable(name) for name in trace["services"])
        errors = click.style(f"{trace['errors']} errors", fg="red") if trace["errors"] else "no errors"
        head = f"{trace['trace_id']}  {duration(trace['duration_ns'])}, {len(trace['spans'])} spans, {errors}"
        drawn = [head, services, ""]
        # Not by recursion: a trace may be deeper than Python's stack.
        waiting = [(span, "", "", "") for span in reversed(self._children.pop(None, []))]
        while waiting or self._children:
            if not waiting:  # their parents lead round in a circle: begin anywhere
                lost = next(iter(self._children))
                waiting = [(span, "", "↻ ", "  ") for span in reversed(self._children.pop(lost))]
            span, before, branch, under = waiting.pop()
            drawn += self._span(span, before, branch, under)
            children = self._children.pop(span["span_id"], [])
            for place, child in reversed(list(enumerate(children))):
                last = place == len(children) - 1
                waiting.append((child, before + under, "└─ " if last else "├─ ", "   " if last else "│  "))
        drawn += [f"· {line(record)}" for record in self._logs[None]]
        if trace["truncated"]:
            drawn.append(click.style("The trace has more than is shown here.", fg="yellow"))
        return drawn

    def _span(self, span: models.TraceSpan, before: str, branch: str, under: str) -> list[str]:
        failed = span["status"]["code"] == "Error"
        name = f"{printable(span['service_name'])} {printable(span['name'])}"
        critical = "*" if span["span_id"] in self._critical else " "
        name = click.style(name, fg="red" if failed else None)
        told = f"{self._bar(span)} {critical} {before}{branch}{name}  {duration(span['duration_ns'])}"
        if span["self_time_ns"] != span["duration_ns"]:
            told += click.style(f" (own {duration(span['self_time_ns'])})", dim=True)
        drawn = [told]
        margin = " " * (_BAR + 3) + before + under
        if failed and span["status"]["message"]:
            drawn.append(margin + click.style(printable(span["status"]["message"]), fg="red"))
        for event in span["events"]:
            if event["name"] == "exception":
                kind = event["attributes"].get("exception.type", "exception")
                message = event["attributes"].get("exception.message", "")
                drawn.append(margin + click.style(printable(f"{kind}: {message}"), fg="red"))
        if self._attributes:
            drawn += [margin + printable(f"{key}={text}") for key, text in span["attributes"].items()]
        return drawn + [f"{margin}· {line(record)}" for record in self._logs.get(span["span_id"], [])]

    def _bar(self, span: models.TraceSpan) -> str:
        """Return when in the trace the span ran."""
        whole = max(1, self._trace["duration_ns"])
        first = (int(span["start_time_unix_nano"]) - self._began) * _BAR // whole
        first = max(0, min(_BAR - 1, first))
        length = max(1, min(_BAR - first, round(span["duration_ns"] * _BAR / whole)))
        return click.style("·" * first + "━" * length + "·" * (_BAR - first - length), dim=True)
