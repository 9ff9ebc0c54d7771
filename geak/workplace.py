"""What several runs can share: models and how fast they may be asked, judges, and what is asked of a run here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from geak.budget import Bound, Purse, bound
from geak.errors import UsageError
from geak.goal import FASTER
from geak.journal.events import Caps, Conditions, RoleModel
from geak.judge_process import command, words
from geak.judges import LOCAL, Judges, default_commands
from geak.models.base import Call, Message, Model, Role
from geak.models.compiler import Compiler
from geak.models.config import read, secrets
from geak.models.pace import Pace
from geak.models.registry import open_model
from geak.settings import DEFAULT_TARGETS, ROLES, Settings
from geak.tasks import Task
from geak_evaluator.schema.seed import Seeds
from geak_evaluator.schema.spec import Description
from geak_evaluator.schema.target import find
from geak_evaluator.schema.verdict import Policy

JUDGES_LOG = "judges.log"
"""Within a run's folder."""
_PROMPT = 40_000
"""Characters of a long prompt, for the bound of a call that is not written yet."""


@dataclass(frozen=True)
class Workplace:
    """Models and judges, ready for work."""

    settings: Settings
    models: dict[Role, Model]
    paces: dict[str, Pace]
    judges: Judges
    longest: dict[Role, int] = field(default_factory=dict)
    """Tokens of an answer, at the most, where a model's table says so."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What must not be kept of an answer that repeats it."""
    purse: Purse | None = None
    """What all runs here may spend together; none, where each has its own caps alone."""


@asynccontextmanager
async def workplace(
    settings: Settings, *needed: Role, runs: int = 1, folder: Path | None = None
) -> AsyncIterator[Workplace]:
    """Opens the models first, so that a missing key is known before anything else, then starts the judges.

    There are as many of these as so many runs at once have work for. What judges say on the side goes to a file in
    `folder`, where there is one: a live page is not torn.
    """
    settings = settings.settled()
    tables = {name: read(name, table) for name, table in settings.models.items()}
    names = settings.roles(*needed)
    longest = {role: tables[name].max_tokens if name in tables else None for role, name in names.items()}
    opened = {name: open_model(name, tables, settings.environment) for name in sorted(set(names.values()))}
    models = {role: opened[name] for role, name in names.items()}
    paces = {model.name: Pace(model.concurrency) for model in opened.values()}
    try:
        log = folder / JUDGES_LOG if folder else None
        async with _judges(settings, runs * (settings.samples or 1), log) as judges:
            known = {role: most for role, most in longest.items() if most}
            yield Workplace(settings, models, paces, judges, known, secrets(tables.values(), settings.environment))
    finally:
        await asyncio.gather(*(model.close() for model in opened.values()))


def _judges(settings: Settings, at_once: int, log: Path | None) -> Judges:
    """Those of this machine and of the commands that were named; or a cluster's."""
    if settings.executor == "ray":
        from geak.cluster import RayJudges

        if len(settings.judge) > 1:
            raise UsageError("--executor ray starts one command on every worker, and several --judge were given")
        settings.must_choose_gpus_here()
        argv = words(settings.judge[0]) if settings.judge else command(allow_weak_sandbox=settings.allow_weak_sandbox)
        return RayJudges(settings.address, argv, most=at_once)
    if settings.address != "auto":
        raise UsageError("--address is where a Ray cluster is, and wants --executor ray")
    if any(name != LOCAL for name in settings.judge):
        settings.must_choose_gpus_here()
    commands = default_commands(
        settings.judge,
        allow_weak_sandbox=settings.allow_weak_sandbox,
        samples=at_once,
        gpu_ids=settings.gpu_ids,
    )
    return Judges(commands, log)


def conditions(task: Task, about: Description, place: Workplace) -> Conditions:
    """What a run under these settings is asked to do."""
    return replace(
        asked_of(place, (*ROLES, *(("seeder",) if "seeder" in place.models else ()))),
        spec=about.name,
        spec_path=str(task.spec.resolve()),
        spec_sha256=about.sha256,
        entry=about.entry,
        original=task.original_path,
        drafted=task.drafted,
        soft=bool(task.soft),
        policy=place.settings.policy or task.policy,
    )


def asked_of(place: Workplace, roles: tuple[Role, ...]) -> Conditions:
    """What settings ask, whatever the spec."""
    settings = place.settings
    models: dict[str, RoleModel] = {
        role: RoleModel(
            place.models[role].name,
            place.models[role].price,
            settings.effort,
            settings.temperature,
            min(settings.max_tokens, place.longest.get(role, settings.max_tokens)),
        )
        for role in roles
    }
    return Conditions(
        spec="",
        spec_path="",
        spec_sha256="",
        entry="",
        models=models,
        targets=targets(place),
        policy=settings.policy or Policy.PURE,
        goal=settings.goal or (FASTER if measured(place) else "correct"),
        objective=settings.objective,
        time=measured(place),
        max_case_loss=settings.max_case_loss,
        strategy=settings.strategy,
        samples=settings.samples or 1,
        rounds=settings.rounds,
        repairs=settings.repairs,
        ancestors=settings.ancestors,
        tune=settings.tune or 0,
        hint=settings.hint,
        caps=Caps(settings.usd, settings.tokens, settings.minutes, settings.calls),
        judge=tuple(settings.judge),
    )


def measured(place: Workplace) -> bool:
    """Whether kernels are timed: the first target is a device of the judge's."""
    hello = place.judges.hello
    return hello.measures and targets(place)[0] in hello.present


def targets(place: Workplace) -> tuple[str, ...]:
    """The GPUs that kernels are for: as asked, else those that are there, else one of each maker."""
    asked = place.settings.target or place.judges.hello.present or DEFAULT_TARGETS
    return tuple(dict.fromkeys(find(name).name for name in asked))


def at(place: Workplace, spec: Path, asked: Conditions) -> dict[Role, Model]:
    """The models as one run asks them: a compiler writes for its spec."""

    async def emit() -> Seeds:
        return await place.judges.seed(spec, target=asked.targets[0])

    bound = {name: model.at(emit) for name, model in _compilers(place).items()}
    return {role: bound.get(model.name, model) for role, model in place.models.items()}


def _compilers(place: Workplace) -> dict[str, Compiler]:
    return {model.name: model for model in place.models.values() if isinstance(model, Compiler)}


def most(asked: Conditions) -> Bound:
    """What a run can cost at the most: each role once a round at its bound, or the caps where these are lower."""
    candidates = asked.samples * asked.rounds
    prompt = (Message("user", "x" * _PROMPT),)
    each = [
        bound(Call(prompt, max_tokens=model.max_tokens), model.price)
        for model in asked.models.values()
        if model.language
    ]
    tokens = candidates * sum(one.tokens for one in each)
    priced = [one.usd for one in each if one.usd is not None]
    usd = candidates * sum(priced) if len(priced) == len(each) else None
    caps = [cap for cap in (usd, asked.caps.usd) if cap is not None]
    return Bound(min(tokens, asked.caps.tokens or tokens), min(caps) if usd is not None else None)
