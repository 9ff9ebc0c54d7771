"""What every model is to the rest of GEAK: messages in; text, usage and the reason of its end out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

Speaker = Literal["system", "user", "assistant"]
Role = Literal["generator", "reflector", "optimizer", "drafter", "seeder"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Finish = Literal["stop", "length", "refusal"]
INDUCTOR = "compiler:inductor"
"""The model that is no language model: it costs nothing, and needs no key."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    speaker: Speaker
    text: str
    fixed: bool = False
    """It and all before it are the same from call to call: a provider may keep them in its cache."""


def prompt_text(messages: Iterable[Message]) -> str:
    """Messages as one text, the same for the same: what a journal keeps, and what a replay knows a prompt by."""
    said = [{"speaker": m.speaker, "text": m.text} | ({"fixed": True} if m.fixed else {}) for m in messages]
    return json.dumps(said, separators=(",", ":"))


@dataclass(frozen=True)
class Call:
    """One question to a model."""

    messages: tuple[Message, ...]
    role: Role = "generator"
    """Who asks."""
    lineage: int = 1
    turn: int = 0
    """How many questions this role has had answered before in this lineage: the place in a script."""
    max_tokens: int = 16_000
    temperature: float | None = None
    effort: Effort | None = None


@dataclass(frozen=True)
class Usage:
    """The tokens of one call or of several."""

    input: int = 0
    """Read at the full price: neither from a cache nor into one."""
    output: int = 0
    """Written, reasoning included."""
    cached: int = 0
    """Read from the provider's cache."""
    cache_written: int = 0
    """Read, and kept in the provider's cache."""
    reasoning: int = 0
    """Of the output, what was thought and is not in the text."""

    @property
    def total(self) -> int:
        """All tokens, in and out."""
        return self.input + self.output + self.cached + self.cache_written

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.cache_written + other.cache_written,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True)
class Reply:
    """What a model said."""

    text: str
    finish: Finish = "stop"
    usage: Usage = Usage()
    model: str = ""
    """Which model it was, by its own word."""


@dataclass(frozen=True)
class Price:
    """Dollars for a million tokens."""

    input: float
    output: float
    cached: float = 0.0
    cache_written: float = 0.0
    source: str = ""
    """Where it is from: "genai-prices 0.2.3", "geak.toml"."""

    def of(self, usage: Usage) -> float:
        """Dollars for these tokens."""
        parts = (
            (usage.input, self.input),
            (usage.output, self.output),
            (usage.cached, self.cached),
            (usage.cache_written, self.cache_written),
        )
        return sum(tokens * rate for tokens, rate in parts) / 1e6


class Model(Protocol):
    """Something that answers."""

    name: str
    """As a person names it: "anthropic:claude-opus-5"."""
    paid: bool
    """Whether its calls cost money."""
    price: Price | None
    """None where nobody knows it; a model that costs nothing has a price of 0."""
    note: str
    """What a person should know before believing it to be more than it is: "scripted replies"; mostly empty."""
    concurrency: int
    """How many calls it may be asked at a time, at the most."""

    async def ask(self, call: Call) -> Reply:
        """Answers one question, or raises ModelError; it never tries twice."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
