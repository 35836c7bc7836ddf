"""The way to the server: the `openai` library, within limits of time and bytes that it does not have."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from glasshouse_collector.insights.llm.failing import NoAnswer, Outcome
from glasshouse_collector.insights.llm.redacting import redacted
from glasshouse_collector.insights.llm.settings import LlmConfig

if TYPE_CHECKING:
    import httpx2
    from openai import OpenAI

_MOST_BYTES: Final = 4 << 20
_MOST_REASON: Final = 200
_SHORTEST_WAIT: Final = 0.05


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Function(_Loose):
    name: str
    arguments: str = ""


class ToolCall(_Loose):
    """A question of the model's."""

    id: str = ""
    function: _Function


class _Message(_Loose):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class _Choice(_Loose):
    message: _Message
    finish_reason: str | None = None


class _Usage(_Loose):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Completion(_Loose):
    """What a server answers, as far as it is looked at."""

    choices: list[_Choice]
    id: str = ""
    model: str = ""
    usage: _Usage | None = None


class BadRequest(Exception):
    """The server does not take the request as it is; the text says what it does not take."""


class Connection:
    """One server for the time of one question, until `deadline` (monotonic seconds)."""

    def __init__(self, client: "OpenAI", config: LlmConfig, deadline: float) -> None:
        self._client = client
        self._config = config
        self._deadline = deadline

    @classmethod
    @contextmanager
    def open(cls, config: LlmConfig) -> Iterator[Self]:
        """Connect; what is still under way when the time is over is broken off."""
        openai, http = _libraries()
        deadline = time.monotonic() + config.timeout_seconds
        transport = http.Client(
            event_hooks={"response": [_bounded]},
            headers={"accept-encoding": "identity"},
            follow_redirects=False,
        )
        client = openai.OpenAI(
            base_url=config.base_url,
            api_key=config.key() or "none",  # the library wants one where the server wants none
            max_retries=0,
            http_client=transport,
        )
        breaking_off = threading.Timer(config.timeout_seconds, transport.close)
        breaking_off.daemon = True
        breaking_off.start()
        try:
            yield cls(client, config, deadline)
        finally:
            breaking_off.cancel()
            transport.close()

    def complete(self, asked: Mapping[str, Any]) -> Completion:
        """Send one request of chat completions; raises `NoAnswer`, and `BadRequest` for a 400 or 422."""
        import openai  # noqa: PLC0415  (optional; `open` has found it)

        left = self._deadline - time.monotonic()
        if left < _SHORTEST_WAIT:
            raise self._timed_out()
        try:
            raw = self._client.chat.completions.with_raw_response.create(**asked, timeout=left)
            content = raw.content
        except openai.APIStatusError as failure:
            raise self._of_status(failure.status_code, _reason(failure.body or failure.message)) from None
        except (openai.APIError, OSError, RuntimeError, ValueError) as failure:
            raise self._of_connection(failure) from None
        try:
            return Completion.model_validate_json(content)
        except ValidationError:
            raise NoAnswer(Outcome.MALFORMED, "the server's answer is no chat completion") from None

    def _of_status(self, status: int, reason: str) -> Exception:
        if status in {400, 422}:
            return BadRequest(reason)
        if status in {401, 403}:
            return NoAnswer(Outcome.REFUSED, f"the server refuses the key ({status}); see llm.api_key")
        if status == 404:  # noqa: PLR2004
            what = f"the model {self._config.model!r}, or nothing at {self._config.base_url}"
            return NoAnswer(Outcome.REFUSED, f"the server does not know {what} (404)")
        if status == 429:  # noqa: PLR2004
            return NoAnswer(
                Outcome.REFUSED, f"the server limits the rate, or a quota is used up (429): {reason}"
            )
        if status >= 500:  # noqa: PLR2004
            return NoAnswer(Outcome.FAILED, f"the server failed ({status}): {reason}")
        return NoAnswer(Outcome.REFUSED, f"the server refuses the question ({status}): {reason}")

    def _of_connection(self, failure: Exception) -> NoAnswer:
        import openai  # noqa: PLC0415

        if isinstance(failure.__cause__ or failure, NoAnswer):
            return failure.__cause__  # type: ignore[return-value]
        if isinstance(failure, openai.APITimeoutError) or time.monotonic() >= self._deadline - _SHORTEST_WAIT:
            return self._timed_out()
        host = urlsplit(self._config.base_url).netloc
        cause = failure.__cause__ or failure
        return NoAnswer(
            Outcome.UNREACHABLE, f"{host} cannot be asked: {_reason(str(cause) or type(cause).__name__)}"
        )

    def _timed_out(self) -> NoAnswer:
        return NoAnswer(
            Outcome.TIMED_OUT, f"no answer within {self._config.timeout_seconds:g} s (llm.timeout_seconds)"
        )


def _libraries() -> tuple[Any, Any]:
    try:
        import httpx2  # noqa: PLC0415  (openai's own, and as optional)
        import openai  # noqa: PLC0415
    except ModuleNotFoundError:
        raise NoAnswer(
            Outcome.NOT_INSTALLED,
            "the library openai is not installed; pip install 'glasshouse[collector,llm]' brings it",
        ) from None
    return openai, httpx2


def _bounded(response: "httpx2.Response") -> None:
    """Count what comes in: a server that never stops must not fill the memory."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NoAnswer(Outcome.MALFORMED, "the server compresses its answer, which was not asked for")
    response.stream = _counted(response.stream)


def _counted(stream: Any) -> Any:
    import httpx2  # noqa: PLC0415

    class Counted(httpx2.SyncByteStream):
        """The same bytes, up to a limit."""

        def __iter__(self) -> Iterator[bytes]:
            left = _MOST_BYTES
            for chunk in stream:
                left -= len(chunk)
                if left < 0:
                    raise NoAnswer(
                        Outcome.MALFORMED, f"the server's answer has more than {_MOST_BYTES} bytes"
                    )
                yield chunk

        def close(self) -> None:
            stream.close()

    return Counted()


def _reason(told: object) -> str:
    """Return what a server says went wrong: its message, on one line, short, without secrets."""
    if isinstance(told, Mapping):
        error = told.get("error", told)
        told = error.get("message", error) if isinstance(error, Mapping) else error
    text = told if isinstance(told, str) else json.dumps(told, default=str)
    line = " ".join(text.split())[:_MOST_REASON]
    shown: str = redacted(line)
    return shown
