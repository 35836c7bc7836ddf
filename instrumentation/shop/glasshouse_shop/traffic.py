"""Visitors: sessions that browse, ask, fill a cart and mostly buy, at a rate, until told to stop."""

import asyncio
import json
import random
import signal
import sys
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import click
import httpx

_USERS = 50
_MOST_AT_ONCE = 40
_THINKING_SECONDS = 0.4
_PATIENCE_SECONDS = 15.0
_LOOKS_MOST, _ADDS_MOST = 4, 3
_ASKS, _BUYS = 0.3, 0.7
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
)
_QUESTIONS = (
    "Which of these makes a good present for a colleague?",
    "I need something for a long train ride, what do you have?",
    "What would brighten up a small kitchen?",
    "Is there anything that keeps the rain off?",
)


@dataclass
class Visitor:
    """One session: who it is, how it behaves, and what it met."""

    client: httpx.AsyncClient
    dice: random.Random
    answers: Counter[str]
    session_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    async def visit(self) -> None:
        """Live through the session; what fails ends it, as it would a person's."""
        user = f"u{self.dice.randrange(_USERS):03d}"
        headers = {
            "X-User-Id": user, "X-Session-Id": self.session_id, "User-Agent": self.dice.choice(_AGENTS)
        }  # fmt: skip
        try:
            products = await self._do("GET", "/products", headers)
            for _ in range(self.dice.randint(1, _LOOKS_MOST)):
                await self._do("GET", f"/products/{self.dice.choice(products)['id']}", headers)
            if self.dice.random() < _ASKS:
                await self._do("POST", "/questions", headers, {"text": self.dice.choice(_QUESTIONS)})
            await self._fill(products, headers)
            if self.dice.random() < _BUYS:
                await self._do("POST", "/orders", headers, {"session_id": self.session_id})
        except httpx.HTTPStatusError:
            return
        except httpx.TransportError as failed:
            self.answers[type(failed).__name__] += 1

    async def _fill(self, products: Any, headers: dict[str, str]) -> None:
        for _ in range(self.dice.randint(1, _ADDS_MOST)):
            chosen = {"product_id": self.dice.choice(products)["id"], "quantity": self.dice.randint(1, 3)}
            await self._do("POST", f"/carts/{self.session_id}/items", headers, chosen)
        await self._do("GET", f"/carts/{self.session_id}", headers)

    async def _do(self, method: str, path: str, headers: dict[str, str], body: object = None) -> Any:
        await asyncio.sleep(self.dice.expovariate(1 / _THINKING_SECONDS))
        answer = await self.client.request(method, path, headers=headers, json=body)
        self.answers[str(answer.status_code)] += 1
        return answer.raise_for_status().json()


async def visitors(gateway: str, sessions_per_second: float, seed: int | None) -> Counter[str]:
    """Send visitors until SIGTERM or SIGINT, and return how often each status was answered."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    dice = random.Random(seed)  # noqa: S311 - visitors are no secret
    answers: Counter[str] = Counter()
    inside: set[asyncio.Task[None]] = set()
    limits = httpx.Limits(max_connections=_MOST_AT_ONCE)
    async with httpx.AsyncClient(base_url=gateway, timeout=_PATIENCE_SECONDS, limits=limits) as client:
        while not ended.is_set():
            # In an outage visitors would pile up; those who find no room go elsewhere.
            if len(inside) < _MOST_AT_ONCE:
                visitor = Visitor(client, random.Random(dice.random()), answers)  # noqa: S311
                coming = asyncio.create_task(visitor.visit())
                inside.add(coming)
                coming.add_done_callback(inside.discard)
            await _pause(ended, dice.expovariate(sessions_per_second))
        for leaving in inside:
            leaving.cancel()
        await asyncio.gather(*inside, return_exceptions=True)
    return answers


async def _pause(ended: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        return


@click.command()
@click.option("--gateway", required=True)
@click.option("--sessions-per-second", type=click.FloatRange(min=0, min_open=True), default=1.0)
@click.option("--seed", type=int)
def main(gateway: str, sessions_per_second: float, seed: int | None) -> None:
    """Send visitors to the shop until told to stop; print what they were answered, as JSON."""
    answers = asyncio.run(visitors(gateway, sessions_per_second, seed))
    sys.stdout.write(json.dumps(dict(sorted(answers.items()))) + "\n")


if __name__ == "__main__":
    main()
