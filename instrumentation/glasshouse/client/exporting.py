"""The call of an operation whose rows are wanted in another format."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from glasshouse.client.calls import Call
from glasshouse.client.operations import Operations

FORMATS: Final = ("csv", "ndjson", "parquet")


class _Recorder(Operations):
    """Returns what would be asked."""

    def _ask(self, call: Call) -> Any:
        return call


def exporting(operation: str, wanted: str, arguments: Mapping[str, Any]) -> Call:
    """Return the call; raises `ValueError` for a format or an operation that there is not."""
    if wanted not in FORMATS:
        raise ValueError(f"format: {wanted!r} is none of {', '.join(FORMATS)}")
    ask = None if operation.startswith("_") else getattr(_Recorder(), operation, None)
    call = ask(**arguments) if ask else None
    if not isinstance(call, Call):
        raise ValueError(  # noqa: TRY004  (the name is wrong, not a type)
            f"operation: {operation!r} is none that answers with rows"
        )
    return replace(call, parameters={**call.parameters, "format": wanted})
