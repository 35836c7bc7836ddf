"""A connection to the store that fails and hangs at random, in a process of its own.

    python tests/chaos/faulty_proxy.py TARGET_PORT SEED

Prints its port, then takes a mood a line: `well`, `faulty`, or `down`.
"""

import asyncio
import random
import subprocess
import sys
from pathlib import Path
from typing import Literal

Mood = Literal["well", "faulty", "down"]


class FaultyProxy:
    """A TCP proxy. `faulty`: connections are cut or left hanging; `down`: every connection ends at once.

    A cut comes before the request arrives, or after it did and before its answer returns: the
    caller cannot know which.
    """

    def __init__(self, target_port: int, seed: int) -> None:
        program = Path(__file__)
        self._process = subprocess.Popen(
            [sys.executable, program, str(target_port), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def be(self, mood: Mood) -> None:
        """Change the mood."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{mood}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """Cut every connection."""
        self._process.kill()
        self._process.communicate()


class _Proxy:
    def __init__(self, target_port: int, seed: int) -> None:
        self._target_port = target_port
        self._dice = random.Random(seed)
        self._mood = "well"

    async def run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        while mood := await asyncio.to_thread(sys.stdin.readline):
            self._mood = mood.strip()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._mood != "down":
                there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer, answers=True))
        except OSError:
            pass
        finally:
            writer.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        try:
            while chunk := await source.read(65536):
                fate = self._dice.random() if self._mood == "faulty" else 1.0
                if self._mood == "down" or fate < (0.1 if answers else 0.01):
                    break
                if fate < (0.13 if answers else 0.012):
                    await asyncio.sleep(self._dice.uniform(0.5, 4))
                sink.write(chunk)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()


if __name__ == "__main__":
    asyncio.run(_Proxy(int(sys.argv[1]), int(sys.argv[2])).run())
