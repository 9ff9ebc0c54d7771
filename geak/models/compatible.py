"""Any server that speaks OpenAI's chat completions: vLLM, SGLang, Ollama, a gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import openai

from geak.models.base import Call, Finish, Price, Reply, Usage
from geak.models.counting import counted
from geak.models.endpoint import Endpoint, Remote, words
from geak.models.failures import Cut, failure
from geak.models.openai import client, usage

_FINISH: dict[str, Finish] = {"length": "length", "content_filter": "refusal"}


class Compatible(Remote):
    """A model behind chat completions."""

    def __init__(self, endpoint: Endpoint, price: Price | None, concurrency: int, note: str = "") -> None:
        super().__init__(endpoint, price, concurrency, note)
        self._client = client(endpoint)

    async def ask(self, call: Call) -> Reply:
        """Answers one question."""
        self.endpoint.check(call)
        began = False
        parts: list[str] = []
        refused: list[str] = []
        end, model = "", ""
        spent: Usage | None = None
        try:
            async with asyncio.timeout(self.endpoint.seconds):
                stream = await self._client.chat.completions.create(**self._request(call), stream=True)
                async with stream:
                    async for chunk in stream:
                        began = True
                        model = chunk.model or model
                        if chunk.usage is not None:
                            spent = usage(chunk.usage, "prompt_tokens", "completion_tokens")
                        for choice in chunk.choices or ():
                            end = choice.finish_reason or end
                            if choice.delta:  # some servers end with none
                                parts.append(choice.delta.content or "")
                                refused.append(choice.delta.refusal or "")
                if not end:
                    raise Cut(began, stream.response.headers)
        except Exception as error:
            raise failure(self.endpoint, error, began) from None
        text, refusal = "".join(parts), "".join(refused)
        return Reply(
            text=text or refusal,
            finish="refusal" if refusal else _FINISH.get(end, "stop"),
            # A server that does not count is counted for: what is unknown is not free.
            usage=counted(call, text) if spent is None else spent,
            model=model,
        )

    async def close(self) -> None:
        """Lets go of connections."""
        await self._client.close()

    def _request(self, call: Call) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.endpoint.settings.model,
            "messages": [{"role": m.speaker, "content": words(m)} for m in call.messages if m.text.strip()],
            "max_tokens": self.endpoint.most(call),
            "stream_options": {"include_usage": True},
        }
        if call.effort is not None:
            request["reasoning_effort"] = call.effort
        if call.temperature is not None:
            request["temperature"] = call.temperature
        return request | self.endpoint.request(openai.omit)
