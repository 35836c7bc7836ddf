"""Which services there are: a name that none has is a slip of the pen, and would find nothing."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from glasshouse_collector.api.problems import Problem
from glasshouse_collector.store import ProjectStore, QueryLimits

_SHOWN: Final = 10
_MOST: Final = 20_000
_KNOWN: Final = f"""
SELECT DISTINCT toString(ServiceName) AS Service FROM (
    SELECT ServiceName FROM glasshouse_service_hours
    UNION ALL SELECT ServiceName FROM glasshouse_log_counts
    UNION ALL SELECT ServiceName FROM glasshouse_instances)
WHERE Service != '' ORDER BY Service LIMIT {_MOST}
"""  # noqa: S608  (a constant)


def require_known(store: ProjectStore, field: str, names: Iterable[str], limits: QueryLimits) -> None:
    """Raise a `Problem` where a service never sent anything that is kept, with some that did.

    Where none is known, or too many to tell, each is allowed. Raises `EngineFailure`.
    """
    asked = [name for name in names if name]
    if not asked:
        return
    rows = store.query_arrow(_KNOWN, limits=limits).to_pylist()
    known = [str(row["Service"]) for row in rows]
    unknown = [name for name in asked if name not in known]
    if unknown and 0 < len(known) < _MOST:
        more = " and others" if len(known) > _SHOWN else ""
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"{field}: no service {unknown[0]!r} sent anything; {', '.join(known[:_SHOWN])}{more} did",
        )
