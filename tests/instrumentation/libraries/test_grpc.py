"""gRPC: a call is a span at both ends, in one trace."""

from collections.abc import Callable

from sent_telemetry import Sent

BEGINNING = """
import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc

def handlers(greet):
    methods = {"Greet": grpc.unary_unary_rpc_method_handler(greet)}
    return (grpc.method_handlers_generic_handler("shop.Greeter", methods),)

GREET = "/shop.Greeter/Greet"
"""
SYNCHRONOUS = """
def greet(request, context):
    if not request:
        context.abort(grpc.StatusCode.NOT_FOUND, "nobody")
    return b"hello " + request

server = grpc.server(ThreadPoolExecutor(2))
server.add_generic_rpc_handlers(handlers(greet))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    assert channel.unary_unary(GREET)(b"you") == b"hello you"
    try:
        channel.unary_unary(GREET)(b"")
    except grpc.RpcError:
        pass
server.stop(None).wait()
"""
ASYNCHRONOUS = """
async def greet(request, context):
    if not request:
        await context.abort(grpc.StatusCode.NOT_FOUND, "nobody")
    return b"hello " + request

async def main():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(handlers(greet))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await channel.unary_unary(GREET)(b"you") == b"hello you"
        try:
            await channel.unary_unary(GREET)(b"")
        except grpc.RpcError:
            pass
    await server.stop(None)

asyncio.run(main())
"""


def _is_told(sent: Sent) -> None:
    calls, served = sent.spans("CLIENT"), sent.spans("SERVER")
    assert len(sent.spans()) == 4
    for call, serving, status in zip(calls, served, (0, 5), strict=True):
        assert (serving.trace_id, serving.parent) == (call.trace_id, call.span_id)
        for span in (call, serving):
            assert span.name == "/shop.Greeter/Greet"
            assert span.attributes["rpc.system"] == "grpc"
            assert span.attributes["rpc.service"] == "shop.Greeter"
            assert span.attributes["rpc.method"] == "Greet"
            assert span.attributes["rpc.grpc.status_code"] == status
        assert call.failed == bool(status)


def test_calls_in_threads(run: Callable[..., Sent]) -> None:
    """A server with a pool of threads, and a channel that blocks."""
    _is_told(run(BEGINNING + SYNCHRONOUS))


def test_calls_in_a_loop(run: Callable[..., Sent]) -> None:
    """grpc.aio, at both ends."""
    _is_told(run(BEGINNING + ASYNCHRONOUS))
