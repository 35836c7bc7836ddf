"""Reads OTLP JSON Lines files, plain or gzip, one `Export…ServiceRequest` a line.

Source: the OpenTelemetry protocol file exporter specification (JSON Lines).
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, TypeAlias, cast

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_collector.codec.otlp_json import to_protobuf
from glasshouse_collector.core.batch import RequestKind
from glasshouse_collector.core.errors import TooLarge, Undecodable
from glasshouse_collector.send.mistakes import UserMistake

Request: TypeAlias = ExportTraceServiceRequest | ExportLogsServiceRequest | ExportMetricsServiceRequest

REQUESTS: Final[dict[RequestKind, type[Request]]] = {
    RequestKind.TRACES: ExportTraceServiceRequest,
    RequestKind.LOGS: ExportLogsServiceRequest,
    RequestKind.METRICS: ExportMetricsServiceRequest,
}
KIND_OF: Final = {
    "resourceSpans": RequestKind.TRACES,
    "resourceLogs": RequestKind.LOGS,
    "resourceMetrics": RequestKind.METRICS,
}
LONGEST_LINE: Final = 1 << 30
"""Bytes; a line is held in memory whole."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_FIRST_KEY: Final = re.compile(rb'\s*\{\s*"(resourceSpans|resourceLogs|resourceMetrics)"')
_NEGATIVE_TIME: Final = re.compile(rb'("[A-Za-z]*[uU]nixNano"\s*:\s*)(?:"-\d+"|-\d+)')
"""Within a JSON text a quote is escaped, so this finds keys alone."""
_IGNORE: Final[Callable[[int], None]] = lambda _: None  # noqa: E731


def requests_in(
    path: Path, progress: Callable[[int], None] = _IGNORE, unset: Callable[[int], None] = _IGNORE
) -> Iterator[tuple[RequestKind, Request]]:
    """Yield the file's requests in order, holding one line at a time.

    `progress` is told how many bytes of the file (compressed, where it is) were read, `unset` how
    many negative times became unset: OTLP has none, but programs that write a time they do not know
    as the year 1 (Go's zero time) leave them in recordings. Raises `UserMistake` naming the file
    and line.
    """
    for number, line in _lines(path, progress):
        try:
            for kind, body in _bodies(line):
                yield kind, _parsed(kind, body, unset)
        except (Undecodable, TooLarge) as wrong:
            raise UserMistake(f"{path}: line {number} is no OTLP: {wrong}") from None
        except orjson.JSONDecodeError as wrong:
            raise UserMistake(f"{path}: line {number} is not JSON: {wrong}") from None


def _parsed(kind: RequestKind, body: bytes, unset: Callable[[int], None]) -> Request:
    request = REQUESTS[kind]()
    try:
        payload = to_protobuf(kind, body)
    except Undecodable:
        mended, times = _NEGATIVE_TIME.subn(rb'\g<1>"0"', body)
        if not times:
            raise
        payload = to_protobuf(kind, mended)
        unset(times)
    request.ParseFromString(payload)
    return request


def _lines(path: Path, progress: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == _GZIP_MAGIC
            content = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if packed else raw)
            number = 0
            while line := content.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    raise UserMistake(f"{path}: line {number} is longer than {LONGEST_LINE:,} bytes")
                if raw.seekable():
                    progress(raw.tell())
                if line.strip():
                    yield number, line
    except OSError as unreadable:  # BadGzipFile is one
        reason = unreadable.strerror or str(unreadable)
        raise UserMistake(f"{path}: cannot be read: {reason}") from None
    except (EOFError, zlib.error) as broken:
        raise UserMistake(f"{path}: is broken gzip: {broken}") from None


def _bodies(line: bytes) -> Iterator[tuple[RequestKind, bytes]]:
    """Yield what the line requests: nearly always one thing, which its first key tells."""
    first = _FIRST_KEY.match(line)
    if first is not None:
        key = first[1].decode()
        if not any(b'"%s"' % other.encode() in line for other in KIND_OF if other != key):
            yield KIND_OF[key], line
            return
    written = orjson.loads(line)
    if not isinstance(written, dict):
        raise Undecodable("it must be an object with resourceSpans, resourceLogs or resourceMetrics")
    present = [key for key in KIND_OF if key in written]
    if written and not present:
        raise Undecodable("it has none of resourceSpans, resourceLogs, resourceMetrics")
    for key in present:
        yield KIND_OF[key], orjson.dumps({key: written[key]})
