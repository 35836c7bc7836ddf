"""What the shop depends on and does not own: a bank, and a language model. It sends no telemetry."""

import asyncio
import itertools
import uuid
from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from glasshouse_shop.faults import DEPENDENCY_SECONDS, Kind
from glasshouse_shop.switchboard import Switchboard

app = FastAPI(title="outside")
switchboard = Switchboard.of_this_process()
_turns = itertools.count()
_BANK_SECONDS = 0.02
_SECONDS_PER_TOKEN = 0.002


class Message(BaseModel):
    """One message of a conversation."""

    role: str
    content: str


class Conversation(BaseModel):
    """A request of the chat completions API."""

    model: str
    messages: list[Message]


class Charge(BaseModel):
    """What a card is to pay."""

    amount_cents: int


@app.get("/live")
async def live() -> dict[str, str]:
    """Say that it listens."""
    return {"status": "ok"}


@app.post("/charges")
async def charge(wanted: Charge) -> dict[str, Any]:
    """Charge a card; now and then it is declined."""
    await _trouble("payment")
    await asyncio.sleep(_BANK_SECONDS)
    status = "declined" if wanted.amount_cents % 23 == 0 else "approved"
    return {"reference": uuid.uuid4().hex, "status": status}


@app.post("/v1/chat/completions")
async def complete(conversation: Conversation) -> dict[str, Any]:
    """Answer as a small model would, with the usage that the texts have."""
    await _trouble("catalog")
    question = conversation.messages[-1].content
    offered = conversation.messages[0].content.removeprefix("We sell: ").rstrip(".").split(", ")
    wanted = offered[sum(question.encode()) % len(offered)]
    answer = f"For that I would take the {wanted}. It is well made and in stock; it arrives in two days."
    used = sum(_token_count(message.content) for message in conversation.messages)
    made = _token_count(answer)
    await asyncio.sleep(made * _SECONDS_PER_TOKEN)
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex[:24]}",
        "object": "chat.completion",
        "model": f"{conversation.model}-2026-01",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}
        ],
        "usage": {"prompt_tokens": used, "completion_tokens": made, "total_tokens": used + made},
    }


def _token_count(text: str) -> int:
    # About four characters a token, as tokenizers for English have it.
    return max(1, len(text) // 4)


async def _trouble(service: str) -> None:
    on = switchboard.on()
    if f"{service}:{Kind.DEPENDENCY_SLOW}" in on:
        await asyncio.sleep(DEPENDENCY_SECONDS)
    if f"{service}:{Kind.DEPENDENCY_ERROR}" in on and next(_turns) % 2 == 0:
        raise HTTPException(503, "try again later")
