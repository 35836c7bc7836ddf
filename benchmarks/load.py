"""The load generator: sends OTLP over gRPC, flat out or at a rate, and tells what was answered.

It is a process of its own, so that its CPU is not counted as the collector's.

    python benchmarks/load.py 127.0.0.1:4317 --records 512 --in-flight 16 --seconds 10

It prints one line of JSON: records acknowledged by kind, refusals by gRPC status, seconds from the
first send to the last answer, the time to acknowledge, and the CPU it took itself.
"""

import argparse
import json
import select
import socket
import sys
import time
from array import array
from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random

import numpy as np

import wire
from wire import Block, Framed, RequestHeaders
from workload import Kind

_VARIANTS = 8
"""Different blocks of each kind; each leaves many times, with other ids."""
_ANSWER_SECONDS = 60.0
"""How long to wait for the answers still missing at the end."""
_REFUSED_PAUSE = 0.05
"""Seconds a connection keeps still after UNAVAILABLE."""
_UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send.

    `mix` gives the share of requests of each kind; `rate` is records a second, 0 for flat out.
    """

    target: str
    records: int
    in_flight: int
    connections: int
    rate: float
    seconds: float
    total: int
    mix: dict[Kind, int]
    seed: int


@dataclass(slots=True)
class Tally:
    """What was sent and what came of it."""

    sent: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    refused_records: int = 0
    answer_seconds: "array[float]" = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class _Partial:
    """A request that the flow control windows let go only in part."""

    image: memoryview
    frames: deque[tuple[int, int]]
    stream: int
    window: int


class Requests:
    """What all connections send: the blocks of each kind, and the headers that go with them."""

    def __init__(self, plan: Plan) -> None:
        random = Random(plan.seed)
        headers = RequestHeaders(plan.target)
        self.introductions = {kind: headers.block(kind) for kind in plan.mix}
        settled = {kind: headers.block(kind) for kind in plan.mix}
        self._blocks = {
            kind: [Block(kind, plan.records, settled[kind], random) for _ in range(_VARIANTS)]
            for kind in plan.mix
        }
        self._kinds, self._shares = list(plan.mix), list(plan.mix.values())

    def choose(self, random: Random) -> Block:
        """Return any block, each kind as often as the mix says."""
        (kind,) = random.choices(self._kinds, self._shares)
        return random.choice(self._blocks[kind])


class Connection:
    """One HTTP/2 connection: sends requests off its blocks, counts the answers."""

    def __init__(self, plan: Plan, requests: Requests, tally: Tally, number: int) -> None:
        host, _, port = plan.target.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._tally = tally
        self._random = Random(plan.seed * 1000 + number)
        self._generator = np.random.default_rng()
        self._out: deque[memoryview] = deque([memoryview(wire.opening())])
        self._in = bytearray()
        self._limit = max(1, plan.in_flight // plan.connections)
        self._window = self._stream_window = wire.DEFAULT_WINDOW
        self._partial: deque[_Partial] = deque()
        self._open: dict[int, tuple[float, str, int]] = {}
        self._stream = 1
        self._statuses: dict[bytes, int] = {}
        self.quiet_until = 0.0
        self._requests = requests
        for kind, headers in requests.introductions.items():
            self._introduce(kind, headers)
        self._next_block()

    def _introduce(self, kind: Kind, headers: bytes) -> None:
        """Send an empty request, which succeeds, to fill the server's header table."""
        frames = wire.grpc_frames(self._stream, headers, b"")
        self._out.append(memoryview(b"".join(frames)))
        self._window -= 5
        self._open[self._stream] = (time.perf_counter(), kind, 0)
        self._stream += 2

    def _next_block(self) -> None:
        self._block = self._requests.choose(self._random)
        self._image = memoryview(self._block.patched(self._stream, time.time_ns(), self._generator))
        self._at = 0

    @property
    def socket(self) -> socket.socket:
        """The connection's socket, for select."""
        return self._socket

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes wait for the socket."""
        return bool(self._out)

    @property
    def unanswered(self) -> int:
        """Requests without an answer."""
        return len(self._open)

    def start_requests(self, records: float) -> int:
        """Start requests within limits, windows and `records`; return the number of records in them."""
        started = 0
        whole: list[Framed] = []
        while len(self._open) < self._limit and not self._partial and self._window > 0:
            block = self._block
            if started + block.records > records:
                break
            request = block.requests[self._at]
            if request.window <= self._window and request.window <= self._stream_window:
                whole.append(request)
                self._window -= request.window
            else:
                self._queue(whole)
                self._start_in_part(request)
            self._open[self._stream] = (time.perf_counter(), block.kind, block.records)
            self._stream += 2
            started += block.records
            self._at += 1
            if self._at == len(block.requests):
                self._queue(whole)
                self._next_block()
        self._queue(whole)
        self._tally.sent += started
        return started

    def _queue(self, whole: list[Framed]) -> None:
        """Queue a run of requests as one piece."""
        if whole:
            self._out.append(self._image[whole[0].start : whole[-1].end])
            whole.clear()

    def _start_in_part(self, request: Framed) -> None:
        self._out.append(self._image[request.start : request.data[0][0]])
        self._partial.append(_Partial(self._image, deque(request.data), self._stream, self._stream_window))
        self._continue_partial()

    def _continue_partial(self) -> None:
        while self._partial:
            partial = self._partial[0]
            while partial.frames:
                start, end = partial.frames[0]
                size = end - start - wire.FRAME_HEADER
                if size > self._window or size > partial.window:
                    return
                self._out.append(partial.image[start:end])
                self._window -= size
                partial.window -= size
                partial.frames.popleft()
            self._partial.popleft()

    def write(self) -> None:
        """Give the socket what it takes."""
        while self._out:
            pieces = [self._out[at] for at in range(min(len(self._out), 64))]
            try:
                sent = self._socket.sendmsg(pieces)
            except BlockingIOError:
                return
            while self._out and sent >= len(self._out[0]):
                sent -= len(self._out.popleft())
            if sent:
                self._out[0] = self._out[0][sent:]

    def read(self) -> None:
        """Take what the socket has, frame by frame."""
        received = self._socket.recv(262_144)
        if not received:
            raise ConnectionError("the collector closed the connection")
        self._in += received
        buffer, at, size = self._in, 0, len(self._in)
        while size - at >= wire.FRAME_HEADER:
            end = at + wire.FRAME_HEADER + (buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2])
            if end > size:
                break
            kind = buffer[at + 3]
            if kind == wire.HEADERS:
                if buffer[at + 4] & wire.END_STREAM:
                    self._answered(
                        int.from_bytes(buffer[at + 5 : at + 9], "big"), bytes(buffer[at + 9 : end])
                    )
            elif kind != wire.DATA:
                self._control(kind, buffer[at + 4], bytes(buffer[at + 5 : end]))
            at = end
        del buffer[:at]

    def _answered(self, stream: int, block: bytes) -> None:
        status = self._statuses.get(block)
        if status is None:
            status = self._statuses[block] = wire.grpc_status(block)
        sent_at, kind, records = self._open.pop(stream)
        tally, now = self._tally, time.perf_counter()
        if not records:
            return
        if status == 0:
            tally.requests += 1
            tally.acknowledged[kind] += records
            tally.answer_seconds.append(now - sent_at)
            return
        tally.refused[status] += 1
        tally.refused_records += records
        if status == _UNAVAILABLE:
            self.quiet_until = now + _REFUSED_PAUSE

    def _control(self, kind: int, flags: int, rest: bytes) -> None:
        stream, payload = int.from_bytes(rest[:4], "big"), rest[4:]
        if kind == wire.WINDOW_UPDATE:
            self._grow(stream, int.from_bytes(payload, "big"))
        elif kind == wire.PING and not flags & wire.ACK:
            self._out.append(memoryview(wire.frame(wire.PING, wire.ACK, 0, payload)))
        elif kind == wire.SETTINGS and not flags & wire.ACK:
            self._settings(payload)
        elif kind == wire.RST_STREAM:
            _, _, records = self._open.pop(stream)
            self._tally.refused[-int.from_bytes(payload, "big")] += 1
            self._tally.refused_records += records
        elif kind == wire.GOAWAY:
            raise ConnectionError(f"the collector said GOAWAY: {payload[8:]!r}")

    def _grow(self, stream: int, more: int) -> None:
        if stream == 0:
            self._window += more
        for partial in self._partial:
            if partial.stream == stream:
                partial.window += more
        self._continue_partial()

    def _settings(self, payload: bytes) -> None:
        for at in range(0, len(payload), 6):
            name = int.from_bytes(payload[at : at + 2], "big")
            value = int.from_bytes(payload[at + 2 : at + 6], "big")
            if name == wire.INITIAL_WINDOW_SIZE:
                for partial in self._partial:
                    partial.window += value - self._stream_window
                self._stream_window = value
            elif name == wire.MAX_CONCURRENT_STREAMS:
                self._limit = min(self._limit, value)
        self._out.append(memoryview(wire.frame(wire.SETTINGS, wire.ACK, 0)))
        self._continue_partial()


class Generator:
    """Runs a plan over its connections, in one thread."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.tally = Tally()
        requests = Requests(plan)
        self._connections = [
            Connection(plan, requests, self.tally, number) for number in range(plan.connections)
        ]

    def run(self) -> dict[str, object]:
        """Send, wait for the answers, and return the account."""
        plan, tally = self._plan, self.tally
        self._settle()
        began = time.perf_counter()
        cpu = time.process_time()
        deadline = began + (plan.seconds or 3600.0)
        while (now := time.perf_counter()) < deadline and not (plan.total and tally.sent >= plan.total):
            due = plan.rate * (now - began) if plan.rate else float("inf")
            if plan.total:
                due = min(due, plan.total)
            for connection in self._connections:
                if now >= connection.quiet_until:
                    connection.start_requests(due - tally.sent)
            self._exchange(self._pause(began))
        last = self._settle()
        return {
            "sent": tally.sent,
            "acknowledged": dict(tally.acknowledged),
            "requests": tally.requests,
            "refused": {str(status): count for status, count in tally.refused.items()},
            "refused_records": tally.refused_records,
            "seconds": last - began,
            "answer_p50": _quantile(tally.answer_seconds, 0.5),
            "answer_p99": _quantile(tally.answer_seconds, 0.99),
            "cpu_seconds": time.process_time() - cpu,
        }

    def _pause(self, began: float) -> float:
        """Return the seconds until the next request is due, when there is a rate to keep."""
        plan = self._plan
        if not plan.rate:
            return 0.01
        due_at = began + (self.tally.sent + plan.records) / plan.rate
        return min(0.05, max(0.0, due_at - time.perf_counter()))

    def _settle(self) -> float:
        """Wait for every answer; return when the last one came."""
        deadline = time.perf_counter() + _ANSWER_SECONDS
        while any(connection.unanswered for connection in self._connections):
            if time.perf_counter() > deadline:
                missing = sum(connection.unanswered for connection in self._connections)
                raise TimeoutError(f"{missing} requests were not answered within {_ANSWER_SECONDS:.0f} s")
            self._exchange(0.05)
        return time.perf_counter()

    def _exchange(self, pause: float) -> None:
        by_socket = {connection.socket: connection for connection in self._connections}
        for connection in self._connections:
            connection.write()
        blocked = [connection.socket for connection in self._connections if connection.wants_to_write]
        readable, writable, _ = select.select(list(by_socket), blocked, [], pause)
        for ready in readable:
            by_socket[ready].read()
        for ready in writable:
            by_socket[ready].write()


def _quantile(seconds: "array[float]", share: float) -> float:
    return float(np.quantile(np.frombuffer(seconds), share)) if seconds else 0.0


def _mix(text: str) -> dict[Kind, int]:
    parts = (part.partition("=") for part in text.split(","))
    return {Kind(name): int(share or 1) for name, _, share in parts}


def main() -> None:
    """Run one plan from the command line."""
    parser = argparse.ArgumentParser(description="Send OTLP over gRPC.")
    parser.add_argument("target", help="host:port of the collector's gRPC endpoint")
    parser.add_argument("--records", type=int, default=512, help="records a request")
    parser.add_argument("--in-flight", type=int, default=16, help="requests without an answer at a time")
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0, help="records a second; 0 is flat out")
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--total", type=int, default=0, help="stop after this many records")
    parser.add_argument(
        "--mix", type=_mix, default={Kind.TRACES: 1}, help="such as traces=8,logs=1,metrics=1"
    )
    parser.add_argument("--seed", type=int, default=1)
    plan = Plan(**vars(parser.parse_args()))
    if not plan.seconds and not plan.total:
        parser.error("say --seconds or --total")
    try:
        account = Generator(plan).run()
    except (OSError, TimeoutError) as failure:
        sys.exit(f"load: {failure}")
    print(json.dumps(account))


if __name__ == "__main__":
    main()
