"""What can be asked with the keys at hand, said without asking anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from geak.errors import GeakError
from geak.models.base import Price
from geak.models.config import KEYS, Kind, ModelSettings
from geak.models.registry import SHAPES, open_model

_NEEDS: Mapping[Kind, tuple[str, ...]] = {
    "anthropic": KEYS["anthropic"],
    "openai": KEYS["openai"],
    "openai-compatible": ("OPENAI_COMPATIBLE_BASE_URL",),
}


@dataclass(frozen=True)
class Standing:
    """Whether one kind of model, or one table, can be asked."""

    name: str
    ready: bool
    why: str
    """What makes it ready, or what is missing."""
    asks: str = ""
    """For a table: the provider and the model behind it."""
    paid: bool | None = None
    """For a table that is ready."""
    price: Price | None = None


def standings(tables: Mapping[str, ModelSettings], environment: Mapping[str, str]) -> list[Standing]:
    """Each kind of model, then each table of geak.toml."""
    return [*_kinds(environment), *(_table(name, tables, environment) for name in tables)]


def _kinds(environment: Mapping[str, str]) -> list[Standing]:
    found: list[Standing] = []
    for kind, variables in _NEEDS.items():
        at_hand = next((variable for variable in variables if environment.get(variable, "").strip()), "")
        why = f"{at_hand} is set" if at_hand else f"{variables[0]} is not set"
        if kind == "openai-compatible" and not at_hand:
            why += "; or a table with base_url"
        found.append(Standing(SHAPES[kind], bool(at_hand), why))
    return [
        *found,
        Standing(SHAPES["command"], True, "any program that reads a prompt and writes a reply"),
        Standing(SHAPES["replay"], True, "the replies of an earlier run"),
        Standing(SHAPES["scripted"], True, "replies from a file"),
        Standing(SHAPES["compiler"], True, "what torch.compile emits, where no model is named"),
    ]


def _table(name: str, tables: Mapping[str, ModelSettings], environment: Mapping[str, str]) -> Standing:
    asks = f"{tables[name].kind}:{tables[name].model}"
    try:
        model = open_model(name, tables, environment)
    except GeakError as error:
        return Standing(name, False, str(error), asks)
    asyncio.run(model.close())
    return Standing(name, True, model.note, asks, model.paid, model.price)
