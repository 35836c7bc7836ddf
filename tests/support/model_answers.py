"""What a model may answer about the incident of `told_incident`, well and badly."""

import json
from typing import Any, Final

from told_incident import trace_id

GOOD: Final[dict[str, Any]] = {
    "incident_summary": "Since 18:00:03 UTC 96 % of POST /checkout of gateway fail.",
    "root_cause": f"POST /pay of payment raises ValueError in 214 of 220 calls (trace {trace_id(1)}).",
    "suggestion": "Look at the stack trace of the ValueError in payment.\nRoll back what was released.",
    "service": "payment",
    "operation": "POST /pay",
    "services": ["payment", "gateway"],
    "operations": ["POST /pay", "POST /checkout"],
    "trace_ids": [trace_id(1)],
}


def answer(**changed: Any) -> str:
    """Return a good answer as JSON, but for what is changed."""
    return json.dumps({**GOOD, **changed})
