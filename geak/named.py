"""What a caller of the Python API named, as the rest of the agent takes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geak.budget import Account
from geak.errors import RunError, UsageError
from geak.journal.events import Conditions
from geak.reading import one_of
from geak.settings import Settings
from geak.sources import changed, load
from geak_evaluator.schema.verdict import Policy, Tier

if TYPE_CHECKING:
    from geak.tasks import Task
    from geak.workplace import Workplace


def settings_of(settings: Settings | None, options: dict[str, Any]) -> Settings:
    """The settings with what was named in their place."""
    if settings is None:
        return load(options).settings
    return changed(settings, options)


def settings_for(target: str | Sequence[str], policy: Policy | str | None, elements: int | None) -> Settings:
    """What a caller named, and the settings for the rest."""
    named = {"target": target or None, "policy": policy, "elements": elements}
    return changed(load({}).settings, {name: said for name, said in named.items() if said is not None})


def tier_of(tier: Tier | str) -> Tier:
    """A tier by its name; UsageError where there is none of it."""
    try:
        return Tier(one_of(*(one.value for one in Tier))(tier))
    except ValueError as error:
        raise UsageError(f"tier: {error}") from None


def kernel_file(kernel: str | Path) -> Path:
    """A kernel's file; its source in the file's place is a likely mistake."""
    if "\n" in str(kernel):
        raise UsageError("a kernel is named by its file, and this is a text of several lines: write it to a file first")
    return Path(kernel)


def batch_settings(settings: Settings | None, options: dict[str, Any]) -> Settings:
    """As for one kernel, without the dollars that one may cost where nobody says."""
    if settings is not None:
        return changed(settings, options)
    resolved = load(options)
    return replace(resolved.settings, usd=None) if resolved.sources["usd"] == "default" else resolved.settings


def again(before: Conditions, options: dict[str, Any]) -> Conditions:
    """The conditions of a run that is gone on with."""
    caps = {name: options.pop(name) for name in ("usd", "tokens", "minutes", "calls") if name in options}
    rest = {name: options.pop(name) for name in ("rounds", "goal") if name in options}
    if options:
        raise UsageError(f"a run that is gone on with keeps its {', '.join(options)}; begin a new run to change that")
    return replace(before, caps=replace(before.caps, **caps), **rest)


def less(settings: Settings, spent: Account) -> Settings:
    """What is left to spend."""
    usd = None if settings.usd is None else settings.usd - spent.usd
    tokens = None if settings.tokens is None else settings.tokens - spent.spent_tokens
    calls = None if settings.calls is None else settings.calls - spent.calls
    return replace(settings, usd=usd, tokens=tokens, calls=calls)


def given_kernel(
    kernel: str, folder: Path, spec: str | None, reference: str | None, test: str
) -> Callable[[Workplace], Awaitable[Task]]:
    """The task of bettering a kernel; what cannot be meant is said now, and PATH::TASK is read where judges are."""
    from geak.files import text
    from geak.formats import registry
    from geak.formats.base import Scale
    from geak.tasks import begin_with, for_kernel
    from geak.tasks import place as parts

    foreign = spec if spec and not (reference or test) and registry.is_foreign(spec) else ""
    if foreign:
        registry.spec_name(foreign)
        text(parts(kernel)[0])
    task = for_kernel(kernel, folder, spec=spec, reference=reference, test=test) if not foreign else None

    async def made(place: Workplace) -> Task:
        if task is not None:
            return task
        found = await registry.prepared(foreign, folder, place.judges, Scale(place.settings.elements))
        return begin_with(found, kernel)

    return made


def text_of(spec: str | Path | None) -> str | None:
    """A path as it was written."""
    return None if spec is None else str(spec)


def run_folder(out: str | Path | None) -> Path | None:
    """The folder that a run was given, unless a dataset run has it."""
    from geak.batch.card import CARD

    folder = path_of(out)
    if folder is not None and (folder / CARD).is_file():
        raise RunError(f"{folder} holds a dataset run; choose another --out")
    return folder


def path_of(path: str | Path | None) -> Path | None:
    """A path, if there is one."""
    return None if path is None else Path(path)
