"""An application that makes numbered spans when told to, with delivery as its exporters' session.

Run as a program, it reads commands: `emit FIRST COUNT`, `counts`, `fork`, `exit`; each is answered by a line.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from glasshouse import delivery
from glasshouse.settings import load

_SPANS_A_BATCH = 20


class Application:
    """The process, as a test sees it."""

    def __init__(
        self, endpoint: str, spool_dir: Path, *, spool_bytes: int = 1 << 28, inside: tuple[str, ...] = ()
    ) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        environ |= {
            "OTEL_SERVICE_NAME": "numbered",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "GLASSHOUSE_SPOOL_DIR": str(spool_dir),
            "GLASSHOUSE_SPOOL_BYTES": str(spool_bytes),
            "GLASSHOUSE_SHUTDOWN_SECONDS": "5",
        }
        self.process = subprocess.Popen(
            [*inside, sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )

    def tell(self, *command: object) -> Any:
        """Give a command and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(*command, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def counts(self) -> delivery.Counts:
        """Return what became of its batches."""
        return delivery.Counts(**self.tell("counts"))

    def kill(self) -> None:
        """End it as a power switch would."""
        self.process.kill()
        self._wait()

    def exit(self) -> None:
        """Let it end by itself."""
        self.tell("exit")
        self._wait()

    def _wait(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait(timeout=60)


def main() -> None:
    """Do what standard input says."""
    undo = delivery.install(load({}))
    exporter = OTLPSpanExporter(session=delivery.session("traces"), compression=Compression.Gzip)
    processor = BatchSpanProcessor(exporter, max_export_batch_size=_SPANS_A_BATCH)
    provider = TracerProvider()
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("numbered")
    for line in sys.stdin:
        answer: object = None
        match line.split():
            case ["emit", first, count]:
                for number in range(int(first), int(first) + int(count)):
                    tracer.start_span(f"number {number}").end()
                processor.force_flush()
            case ["counts"]:
                answer = asdict(delivery.counts())
            case ["fork"]:
                answer = _fork(lambda first: _emit(tracer, processor, first))
            case ["exit"]:
                break
        _say(answer)
    provider.shutdown()
    undo()
    _say(None)


def _say(answer: object) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def _emit(tracer: Any, processor: BatchSpanProcessor, first: int) -> None:
    for number in range(first, first + 100):
        tracer.start_span(f"number {number}").end()
    processor.force_flush()


def _fork(emit: Any) -> list[int]:
    """Start three workers, as a pre-forking server does; each emits a hundred and then lives on."""
    workers = []
    for index in range(3):
        reader, writer = os.pipe()
        worker = os.fork()
        if not worker:
            os.close(reader)
            emit(1000 * (index + 1))
            while delivery.counts().spooled + delivery.counts().sent < 100 // _SPANS_A_BATCH:
                delivery.flush(0.1)
            os.write(writer, b"1")
            sys.stdin.read()
            os._exit(0)
        os.close(writer)
        assert os.read(reader, 1)
        os.close(reader)
        workers.append(worker)
    return workers


if __name__ == "__main__":
    main()
