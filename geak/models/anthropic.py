"""Claude, by Anthropic's own SDK: the Messages API, streamed, here or in a cloud that serves it."""

from __future__ import annotations

import asyncio
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anthropic

from geak.errors import MachineError
from geak.models.base import Call, Effort, Finish, Price, Reply, Usage
from geak.models.endpoint import Endpoint, Remote, words
from geak.models.failures import Cut, failure

if TYPE_CHECKING:
    from anthropic.types import Message as Said
    from anthropic.types import MessageParam, TextBlockParam

    Sdk = anthropic.AsyncAnthropic | anthropic.AsyncAnthropicBedrock | anthropic.AsyncAnthropicVertex

_MARKS = 4
_FINISH: dict[str | None, Finish] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


class Anthropic(Remote):
    """A Claude model."""

    def __init__(self, endpoint: Endpoint, price: Price | None, concurrency: int, note: str = "") -> None:
        super().__init__(endpoint, price, concurrency, note)
        self._client = _client(endpoint)

    async def ask(self, call: Call) -> Reply:
        """Answers one question."""
        self.endpoint.check(call)
        began = ended = False
        try:
            async with (
                asyncio.timeout(self.endpoint.seconds),
                self._client.messages.stream(**self._request(call)) as stream,
            ):
                async for event in stream:
                    began = True
                    ended = ended or event.type == "message_stop"
                if not ended:
                    raise Cut(began, stream.response.headers)
                return _reply(stream.current_message_snapshot)
        except Exception as error:
            raise failure(self.endpoint, error, began) from None

    async def close(self) -> None:
        """Lets go of connections."""
        await self._client.close()

    def _request(self, call: Call) -> dict[str, Any]:
        system, messages = _conversation(call)
        request: dict[str, Any] = {
            "model": self.endpoint.settings.model,
            "max_tokens": self.endpoint.most(call),
            "messages": messages,
            **self.endpoint.request(anthropic.omit),
        }
        if system:
            request["system"] = system
        if call.effort == "none":
            request["thinking"] = {"type": "disabled"}
        elif call.effort is not None:
            request["thinking"] = {"type": "adaptive"}
            request["output_config"] = {"effort": "low" if call.effort == "minimal" else call.effort}
        if call.temperature is not None:
            if _takes_temperature(self.endpoint.settings.model, call.effort):
                # The SDK has no argument for it any more, the older models still take it.
                request["extra_body"] = {"temperature": call.temperature, **request.get("extra_body", {})}
            else:
                self.no_temperature(call.temperature)
        return request


def _conversation(call: Call) -> tuple[list[TextBlockParam], list[MessageParam]]:
    """The system's blocks and the messages; the ends of what never changes are marked for the cache."""
    said = [(message, words(message)) for message in call.messages if message.text.strip()]
    fixed = [message for message, _ in said if message.fixed][-_MARKS:]
    system: list[TextBlockParam] = []
    turns: list[tuple[str, list[TextBlockParam]]] = []
    for message, text in said:
        block: TextBlockParam = {"type": "text", "text": text}
        if any(message is marked for marked in fixed):
            block["cache_control"] = {"type": "ephemeral"}
        if message.speaker == "system":
            system.append(block)
        elif turns and turns[-1][0] == message.speaker:
            turns[-1][1].append(block)
        else:
            turns.append((message.speaker, [block]))
    messages: list[MessageParam] = []
    for speaker, blocks in turns:
        if speaker == "assistant":
            messages.append({"role": "assistant", "content": blocks})
        else:
            messages.append({"role": "user", "content": blocks})
    return system, messages


def _reply(said: Said) -> Reply:
    usage = said.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    details = usage.output_tokens_details
    return Reply(
        text="".join(block.text for block in said.content if block.type == "text"),
        finish=_FINISH.get(said.stop_reason, "stop"),
        usage=Usage(
            input=usage.input_tokens or 0,  # Anthropic counts the cache apart
            output=usage.output_tokens or 0,
            cached=cached,
            cache_written=written,
            reasoning=(details.thinking_tokens or 0) if details is not None else 0,
        ),
        model=said.model or "",
    )


def _takes_temperature(model: str, effort: Effort | None) -> bool:
    """Whether it may still be said: not while the model thinks, and to none since Claude 4.7."""
    if effort not in (None, "none"):
        return False
    version = re.search(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?", model)
    return version is not None and (int(version[1]), int(version[2] or 0)) < (4, 7)


def _client(endpoint: Endpoint) -> Sdk:
    settings, environment = endpoint.settings, endpoint.environment
    common: dict[str, Any] = {
        "base_url": endpoint.base_url or None,
        "max_retries": 0,
        "default_headers": endpoint.default_headers("ANTHROPIC_CUSTOM_HEADERS", anthropic.omit),
        "default_query": dict(endpoint.query),
        "http_client": endpoint.http(),
        "timeout": endpoint.timeout(),
        "open_telemetry": False,
    }
    if settings.client == "bedrock":
        _needs("boto3", "bedrock")
        if endpoint.key:
            common["api_key"] = endpoint.key
        else:
            for argument, name in (
                ("aws_access_key", "AWS_ACCESS_KEY_ID"),
                ("aws_secret_key", "AWS_SECRET_ACCESS_KEY"),
                ("aws_session_token", "AWS_SESSION_TOKEN"),
                ("aws_profile", "AWS_PROFILE"),
            ):
                common[argument] = environment.get(name)
        return anthropic.AsyncAnthropicBedrock(aws_region=settings.region, **common)
    if settings.client == "vertex":
        _needs("google.auth", "vertex")
        if settings.project:
            common["project_id"] = settings.project
        return anthropic.AsyncAnthropicVertex(region=settings.region, **common)
    # A key that is given, even an empty one, keeps the SDK from looking for others in the environment and on disk.
    return anthropic.AsyncAnthropic(api_key=endpoint.key, **common)


def _needs(module: str, extra: str) -> None:
    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise MachineError(f"Claude on {extra} needs the package {module}; pip install 'anthropic[{extra}]' brings it")
