"""Opening and asking a model in a test: one call, in a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from geak.errors import ModelError
from geak.models.base import Call, Message, Model, Reply
from geak.models.config import tables_from
from geak.models.registry import open_model
from tests.models.wire import Provider

KEY = "sk-ant-api03-very-secret-0123456789"
CALL = Call(
    (
        Message("system", "You write kernels.", fixed=True),
        Message("user", "The spec.", fixed=True),
        Message("user", "Go on."),
    )
)
NAMES = ("anthropic:claude-opus-5", "openai:gpt-6-sol", "openai-compatible:qwen")


def surroundings(provider: Provider) -> dict[str, str]:
    """An environment in which every provider is at this address."""
    return {
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": provider.url,
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": provider.v1,
        "OPENAI_COMPATIBLE_API_KEY": KEY,
        "OPENAI_COMPATIBLE_BASE_URL": provider.v1,
    }


def asked(model: Model, call: Call = CALL) -> Reply:
    """What a model says to one call."""

    async def once() -> Reply:
        try:
            return await model.ask(call)
        finally:
            await model.close()

    return asyncio.run(once())


def refused(model: Model, call: Call = CALL) -> ModelError:
    """Why a model does not answer one call."""
    try:
        reply = asked(model, call)
    except ModelError as error:
        return error
    raise AssertionError(f"it answered: {reply}")


def table(name: str, provider: Provider, **more: Any) -> Model:
    """The model of such a name (KIND:MODEL), as a table of geak.toml with more keys."""
    kind, _, model = name.partition(":")
    toml: Mapping[str, Any] = {"models": {"mine": {"kind": kind, "model": model, **more}}}
    return open_model("mine", tables_from(toml), surroundings(provider))
