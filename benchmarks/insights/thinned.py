"""Cases with less to go by: of a case's traces every second, fourth, eighth or sixteenth.

All of a case tells which service it was nearly always. What little tells, and how sure one may be of it, is
seen where there is little.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from glasshouse_collector.store import Store
from insights.cases import Case

DRAWS: Final = {2: 2, 4: 3, 8: 4, 16: 4}
"""Of so many traces one is kept, and so often that is done with others."""
_BY_TRACE: Final = ("otel_traces", "otel_logs")
_WHOLE: Final = ("otel_metrics_gauge", "otel_metrics_sum")
_COPY: Final = """
INSERT INTO {table}
SELECT * REPLACE ({{project:String}} AS Project, concat({{project:String}}, BatchId) AS BatchId)
FROM (SELECT * FROM {table} WHERE Project = {{from:String}} AND {which})
"""


def thin(store: Store, cases: Sequence[Case], one_in: int) -> Iterator[Case]:
    """Yield each case with one trace in so many, once a draw; each is in a project of its name.

    The cases are in projects of theirs. Metrics stay as they are.
    """
    for draw in range(DRAWS[one_in]):
        for case in cases:
            project = f"{case.name}.{one_in}.{draw}"
            for table in (*_BY_TRACE, *_WHOLE):
                kept = f"cityHash64('thinned', TraceId) % {one_in} = {draw}" if table in _BY_TRACE else "1"
                statement = _COPY.format(table=table, which=kept)
                store.engine.command(statement, {"project": project, "from": case.name})
            yield replace(case, name=project, one_in=one_in)
