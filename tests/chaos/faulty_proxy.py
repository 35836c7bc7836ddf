"""A connection to the store that fails and hangs at random."""

import asyncio
import contextlib
import random
import threading


class FaultyProxy:
    """A TCP proxy in a thread of its own; with `faults` on, connections are cut or left hanging.

    With `down` on, every connection ends at once, an open one at its next byte.

    A cut comes before the request arrives, or after it did and before its answer returns: the
    caller cannot know which.
    """

    def __init__(self, target_port: int, seed: int) -> None:
        self.faults = False
        self.down = False
        self.port = 0
        self._target_port = target_port
        self._dice = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Listen on a port of the system's choice."""
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        )
        self.port = server.result(10).sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Cut every connection."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if self.down:
                raise ConnectionAbortedError
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer, answers=True))
            finally:
                back.close()
        writer.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        try:
            while chunk := await source.read(65536):
                fate = self._dice.random() if self.faults else 1.0
                if self.down or fate < (0.1 if answers else 0.01):
                    break
                if fate < (0.13 if answers else 0.012):
                    await asyncio.sleep(self._dice.uniform(0.5, 4))
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
