"""OpenAI's models, by its own SDK: the Responses API, streamed, here or on Azure."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Any

import openai

from geak.models.base import Call, Effort, Finish, Price, Reply, Usage, prompt_text
from geak.models.endpoint import Endpoint, Remote, words
from geak.models.failures import Cut, Said, failure

if TYPE_CHECKING:
    from openai.types.responses import Response

_AZURE_TOKEN = "AZURE_OPENAI_AD_TOKEN"
_FINISH: dict[str | None, Finish] = {"max_output_tokens": "length", "content_filter": "refusal"}


class OpenAI(Remote):
    """A model of OpenAI's."""

    def __init__(self, endpoint: Endpoint, price: Price | None, concurrency: int, note: str = "") -> None:
        super().__init__(endpoint, price, concurrency, note)
        self._client = client(endpoint)

    async def ask(self, call: Call) -> Reply:
        """Answers one question."""
        self.endpoint.check(call)
        began = False
        final: Response | None = None
        try:
            async with asyncio.timeout(self.endpoint.seconds):
                stream = await self._client.responses.create(**self._request(call), stream=True)
                async with stream:
                    async for event in stream:
                        if event.type == "error":
                            raise Said(event.code, event.message)
                        began = True
                        if event.type in ("response.completed", "response.incomplete", "response.failed"):
                            final = event.response
                if final is None:
                    raise Cut(began, stream.response.headers)
                if final.error is not None:
                    raise Said(final.error.code, final.error.message)
                return _reply(final)
        except Exception as error:
            raise failure(self.endpoint, error, began) from None

    async def close(self) -> None:
        """Lets go of connections."""
        await self._client.close()

    def _request(self, call: Call) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.endpoint.settings.model,
            "input": [{"role": m.speaker, "content": words(m)} for m in call.messages if m.text.strip()],
            "max_output_tokens": self.endpoint.most(call),
            "store": False,
        }
        if key := _cache_key(call):
            request["prompt_cache_key"] = key
        if call.effort is not None:
            request["reasoning"] = {"effort": call.effort}
        if call.temperature is not None:
            if _takes_temperature(self.endpoint.settings.model, call.effort):
                request["temperature"] = call.temperature
            else:
                self.no_temperature(call.temperature)
        return request | self.endpoint.request(openai.omit)


def client(endpoint: Endpoint) -> openai.AsyncOpenAI:
    """The SDK's client, told everything, so that it looks for nothing itself."""
    environment = endpoint.environment
    common: dict[str, Any] = {
        "max_retries": 0,
        "default_headers": endpoint.default_headers("OPENAI_CUSTOM_HEADERS", openai.omit),
        "default_query": dict(endpoint.query),
        "http_client": endpoint.http(),
        "timeout": endpoint.timeout(),
    }
    made: openai.AsyncOpenAI
    if endpoint.settings.client == "azure":
        common["azure_ad_token" if endpoint.key_name == _AZURE_TOKEN else "api_key"] = endpoint.key
        version = endpoint.settings.api_version
        made = openai.AsyncAzureOpenAI(azure_endpoint=endpoint.base_url, api_version=version, **common)
    else:
        # Where there is no key the header is left out, and this stands in for one.
        made = openai.AsyncOpenAI(base_url=endpoint.base_url, api_key=endpoint.key or "none", **common)
    public = endpoint.settings.kind == "openai" and not endpoint.settings.client
    made.organization = environment.get("OPENAI_ORG_ID") if public else None
    made.project = environment.get("OPENAI_PROJECT_ID") if public else None
    made.admin_api_key = None
    return made


def _cache_key(call: Call) -> str:
    """What calls with one beginning share, so that they meet at one cache."""
    last = max((number for number, message in enumerate(call.messages, 1) if message.fixed), default=0)
    return "geak-" + hashlib.sha256(prompt_text(call.messages[:last]).encode()).hexdigest()[:16] if last else ""


def _reply(said: Response) -> Reply:
    text = said.output_text
    refused = [
        part.refusal
        for item in said.output
        if item.type == "message"
        for part in item.content
        if part.type == "refusal"
    ]
    why = said.incomplete_details.reason if said.incomplete_details is not None else None
    return Reply(
        text=text or "\n".join(refused),
        finish="refusal" if refused else _FINISH.get(why, "length" if said.status == "incomplete" else "stop"),
        usage=usage(said.usage, "input_tokens", "output_tokens"),
        model=said.model or "",
    )


def usage(counted: Any, given: str, written: str) -> Usage:
    """Tokens as OpenAI counts them: what is read of a cache or kept in it is among those that were given."""
    whole, details = getattr(counted, given, 0) or 0, getattr(counted, f"{given}_details", None)
    cached = getattr(details, "cached_tokens", 0) or 0
    kept = getattr(details, "cache_write_tokens", 0) or 0
    out = getattr(counted, f"{written}_details", None)
    return Usage(
        input=max(0, whole - cached - kept),
        output=getattr(counted, written, 0) or 0,
        cached=cached,
        cache_written=kept,
        reasoning=getattr(out, "reasoning_tokens", 0) or 0,
    )


def _takes_temperature(model: str, effort: Effort | None) -> bool:
    """Whether it may still be said: not to models that reason, but those since 5.1 when they are told not to."""
    reasons = re.match(r"o\d|gpt-(?:[5-9]|\d\d)", model)
    return reasons is None or "-chat" in model or (effort == "none" and not re.match(r"o\d|gpt-5(?!\.)", model))
