"""Opening a model by its name; what is missing is said here, before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from geak.errors import UsageError
from geak.models.base import INDUCTOR, Model
from geak.models.config import KINDS, Kind, ModelSettings, near

if TYPE_CHECKING:
    from geak.models.endpoint import Watch

SHAPES: Mapping[Kind, str] = {
    "anthropic": "anthropic:NAME",
    "openai": "openai:NAME",
    "openai-compatible": "openai-compatible:NAME",
    "command": "command:PROGRAM ARGS",
    "replay": "replay:RUN",
    "scripted": "scripted:FILE",
    "compiler": "compiler:inductor",
}
"""How a model of each kind is named."""


def open_model(
    name: str, tables: Mapping[str, ModelSettings], environment: Mapping[str, str], *, watch: Watch | None = None
) -> Model:
    """The model of that name: KIND:WHAT, or a table of geak.toml; `environment` is all that it knows of keys."""
    settings = settings_of(name, tables)
    if settings.kind == "command":
        from geak.models.command import Command

        return Command(name, settings, environment, watch)
    if settings.kind == "replay":
        from geak.models.replay import Replay

        return Replay(name, settings.model, settings.price)
    if settings.kind == "scripted":
        from geak.models.scripted import Scripted

        return Scripted(name, settings.model, settings.price)
    if settings.kind == "compiler":
        from geak.models.compiler import Compiler

        if settings.model != INDUCTOR.partition(":")[2]:
            raise UsageError(f"there is no compiler {settings.model!r}; {INDUCTOR} is the one that there is")
        return Compiler(INDUCTOR)
    from geak.models.remote import remote

    return remote(name, settings, environment, watch)


def settings_of(name: str, tables: Mapping[str, ModelSettings]) -> ModelSettings:
    """What a name asks for, as a table would say it."""
    if name in tables:
        return tables[name]
    kind, colon, model = name.partition(":")
    for known in KINDS:
        if kind == known and colon:
            if not model.strip():
                raise UsageError(f"{name} does not say what is asked; {SHAPES[known]} is wanted")
            return ModelSettings(kind=known, model=model.strip())
    if colon or not name:
        raise UsageError(f"there is no kind of model {kind!r}{near(kind, KINDS)}")
    for start, known in (("claude", "anthropic"), ("gpt", "openai"), ("o1", "openai"), ("o3", "openai")):
        if name.startswith(start):
            raise UsageError(f"{name} is a model's name without its provider; did you mean {known}:{name}?")
    hint = near(name, [*tables, *KINDS]) if tables else f"; {' or '.join(SHAPES.values())} is wanted"
    raise UsageError(f"there is no model {name!r} in geak.toml{hint}")
