"""Real telemetry: the Train Ticket recordings, in the folder GLASSHOUSE_TRAINTICKET names."""

import base64
import gzip
import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from fuzz import outcome
from generate import REQUESTS
from google.protobuf.json_format import ParseDict

from glasshouse_collector.codec import Codec
from glasshouse_collector.codec.upb import UpbCodec
from glasshouse_collector.core.batch import RequestKind

IDS = ("traceId", "spanId", "parentSpanId")
LINES = 3
FOLDER = Path(
    os.environ.get("GLASSHOUSE_TRAINTICKET", Path(__file__).parents[3] / "shared" / "data" / "trainticket")
)


def _with_base64_ids(value: Any) -> Any:
    """Return OTLP's JSON as protobuf's own, which has bytes in base64, not in hex."""
    if isinstance(value, list):
        return [_with_base64_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode() if key in IDS else _with_base64_ids(item)
            for key, item in value.items()
        }
    return value


@pytest.mark.parametrize("kind", list(RequestKind))
def test_codecs_agree_on_recorded_telemetry(native: Codec, kind: RequestKind) -> None:
    """The first requests of the largest recording decode to the same rows, none of them refused."""
    if not FOLDER.is_dir():
        pytest.skip(f"the Train Ticket recordings are not at {FOLDER} (GLASSHOUSE_TRAINTICKET)")
    recordings = sorted(FOLDER.glob(f"*/{kind}.jsonl.gz"), key=lambda recording: recording.stat().st_size)
    payloads = []
    for recording in recordings[-1:]:
        with gzip.open(recording, "rt") as lines:
            requests = [_with_base64_ids(json.loads(line)) for line in islice(lines, LINES)]
        payloads += [ParseDict(one, REQUESTS[kind]()).SerializeToString() for one in requests]
    expected = outcome(UpbCodec(), kind, payloads)
    assert isinstance(expected, tuple)
    assert any(checked.accepted for checked in expected[0])
    assert outcome(native, kind, payloads) == expected
