"""What a person can settle: one table of settings, each with its values and its default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from geak import reading
from geak.errors import UsageError
from geak.models.base import INDUCTOR, Effort, Role
from geak.objective import OBJECTIVES, Objective
from geak_evaluator.schema.verdict import Policy

_T = TypeVar("_T")

VARIANTS = 4
"""How many of a compiler's kernels are tried where nobody says."""
CONFIGURATIONS = 24
"""How many configurations a tuner tries of a compiler's kernel where nobody says."""
ELEMENTS = 4096
"""How large the inputs of a benchmark's task may be together where it is proved, and nobody says."""
DEFAULT_TARGETS = ("gfx942", "sm_90")
"""What is written for where no device is present and no target was named."""


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    name: str
    help: str
    metavar: str
    read: reading.Read
    """Makes a value of a text or of what TOML has; a ValueError says what is wanted."""
    shown: str
    """The default as a person reads it."""
    separator: str = ""
    """What stands between several values in one text; only where there may be several."""

    @property
    def flag(self) -> str:
        """As an option."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """As a variable of the environment."""
        return "GEAK_" + self.name.upper()


def written(value: object) -> str:
    """A value as a person would write it."""
    if isinstance(value, tuple):
        return ", ".join(map(written, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if value is None:
        return "none"
    return str(value.value if isinstance(value, Policy) else value)


def _row(
    default: _T, help: str, read: reading.Read, metavar: str = "TEXT", *, shown: str = "", separator: str = ""
) -> _T:
    shown = shown or written(default)
    told = {"help": help, "metavar": metavar, "read": read, "shown": shown, "separator": separator}
    return field(default=default, metadata=told)


_COUNT, _COUNT_OR_NOUGHT = reading.number(1, whole=True), reading.number(0, whole=True)
_CAP, _WHOLE_CAP = reading.number(0, none=True), reading.number(0, whole=True, none=True)
_OWN = "the model's own"


@dataclass(frozen=True)
class Settings:
    """Everything that can be settled, with its default."""

    model: str = _row(
        "",
        "The model for every role: anthropic:NAME, openai:NAME, openai-compatible:NAME, command:PROGRAM, "
        "scripted:FILE, replay:RUN, or a table [models.NAME] of geak.toml.",
        reading.text,
        "MODEL",
        shown=f"{INDUCTOR}: no language model, and no key",
    )
    generator_model: str = _row("", "The model that writes kernels.", reading.text, "MODEL", shown="--model")
    reflector_model: str = _row("", "The model that explains what went wrong.", reading.text, "MODEL", shown="--model")
    optimizer_model: str = _row("", "The model that plans what to change.", reading.text, "MODEL", shown="--model")
    drafter_model: str = _row("", "The model that drafts a spec from words.", reading.text, "MODEL", shown="--model")
    effort: Effort | None = _row(
        None,
        f"How hard a model is to think: {', '.join(get_args(Effort))}.",
        reading.one_of(*get_args(Effort)),
        "EFFORT",
        shown=_OWN,
    )
    temperature: float | None = _row(
        None, "The temperature, for models that still take one.", reading.number(0, 2, none=True), "NUMBER", shown=_OWN
    )
    max_tokens: int = _row(16_000, "The longest answer, in tokens.", _COUNT, "NUMBER")
    target: tuple[str, ...] = _row(
        (),
        "A GPU, by architecture or product: gfx942, MI300X, sm_90, H100, ... Where several are taken (MI300X,H100, "
        "or repeat it), the first is proved on.",
        reading.texts(",", reading.target),
        "GPU",
        shown=f"the device present, else {' and '.join(DEFAULT_TARGETS)}",
        separator=",",
    )
    policy: Policy | None = _row(
        None,
        "What may do the work: pure (Triton kernels alone), mixed (also some of torch's operations) or open.",
        reading.policy,
        "POLICY",
        shown="pure, or the task's own",
    )
    elements: int = _row(
        ELEMENTS,
        "About how many elements the inputs of a benchmark's task may have together where it is proved.",
        _COUNT,
        "NUMBER",
    )
    goal: str = _row(
        "",
        "When to stop: correct (at the first kernel that is accepted) or best (after all rounds); faster (than the "
        "best baseline), 1.2x and sol:0.9 want a GPU whose times are measured.",
        reading.text,
        "GOAL",
        shown="faster on a GPU, else correct; best where no language model is asked",
    )
    max_case_loss: float | None = _row(
        None,
        "With a speed as goal: how much slower than the baseline a kernel may be in any one case: 0.05 is 5 %.",
        reading.number(0, 1, none=True),
        "SHARE",
        shown="no bound",
    )
    objective: Objective = _row(
        "time",
        "What makes a kernel better: time, energy or pareto (neither worse); the last two want a GPU whose energy "
        "is measured.",
        reading.one_of(*OBJECTIVES),
        "OBJECTIVE",
    )
    strategy: str = _row(
        "",
        "How to search: reflexion (draft, repair, better the best), best-of-n (independent drafts) or sweep (a "
        "compiler's variants, then the tuner: no language model).",
        reading.text,
        "STRATEGY",
        shown="reflexion; sweep where no language model is asked",
    )
    samples: int | None = _row(
        None,
        "Lineages, chains of candidates, that are developed side by side.",
        _COUNT,
        "NUMBER",
        shown=f"1; {VARIANTS} where no language model is asked",
    )
    rounds: int = _row(10, "Candidates of each lineage, one after another.", _COUNT, "NUMBER")
    repairs: int = _row(3, "Repairs in a row before a lineage begins anew.", _COUNT_OR_NOUGHT, "NUMBER")
    ancestors: int = _row(4, "How many of the best candidates the optimizer reads.", _COUNT, "NUMBER")
    seed: Literal["", "inductor"] = _row(
        "",
        "Begin the first lineage with a compiler's kernel: inductor, what torch.compile emits.",
        reading.one_of("inductor"),
        "COMPILER",
    )
    tune: int | None = _row(
        None,
        "Configurations that the tuner may try of each kernel that was accepted, for each target.",
        _COUNT_OR_NOUGHT,
        "NUMBER",
        shown=f"0; {CONFIGURATIONS} where no language model is asked",
    )
    usd: float | None = _row(2.0, "Dollars that may be spent, or none for no cap.", _CAP, "DOLLARS")
    tokens: int | None = _row(None, "Tokens that may be used.", _WHOLE_CAP, "NUMBER", shown="no cap")
    minutes: float | None = _row(None, "Minutes after which nothing more is begun.", _CAP, "NUMBER", shown="no cap")
    calls: int | None = _row(None, "Calls that may be made.", _WHOLE_CAP, "NUMBER", shown="no cap")
    hint: str = _row("", "Advice for the models, in words.", reading.text)
    judge: tuple[str, ...] = _row(
        (),
        'A command that starts a judge elsewhere, such as "ssh box python3 geak_judge.pyz serve", or local; runs '
        "use several if it is repeated.",
        reading.texts("\n"),
        "COMMAND",
        shown="here",
        separator="\n",
    )
    executor: Literal["local", "ray"] = _row(
        "local",
        "Where judges run: local (here, or where --judge says) or ray (on the machines of a Ray cluster: one for "
        "each GPU, or else for each processor).",
        reading.one_of("local", "ray"),
        "EXECUTOR",
    )
    address: str = _row(
        "auto", "The Ray cluster: auto (the one that this machine belongs to) or HOST:PORT.", reading.text, "ADDRESS"
    )
    allow_weak_sandbox: bool = _row(
        False,
        "Go on where the sandbox cannot confine foreign code as it should (docs/security.md).",
        reading.yes_or_no,
        "",
    )
    gpu_ids: str = _row(
        "",
        "Which of this machine's visible GPUs may be used, by numbers or UUIDs: 0,2.",
        reading.text,
        "IDS",
        shown="all that the variables of ROCm and CUDA leave",
    )
    runs: Path = _row(Path("runs"), "The folder that runs are kept in.", reading.path, "FOLDER")
    prompts: Path | None = _row(
        None,
        "A folder of prompt templates; each goes before GEAK's own of its name.",
        reading.path,
        "FOLDER",
        shown="GEAK's own",
    )
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The tables [models.NAME] of geak.toml."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False, compare=False)
    """Where keys are looked up; they are no settings, and never shown."""

    def roles(self, *needed: Role) -> dict[Role, str]:
        """The model of each role that has one; a UsageError where one has none that a run (or `needed`) cannot miss."""
        named: dict[Role, str] = {
            role: getattr(self, f"{role}_model") or self.model for role in get_args(Role) if role != "seeder"
        }
        if not any(named.values()):  # a model is asked only where somebody names it
            named |= dict.fromkeys(ROLES, INDUCTOR)
        if self.seed or self.strategy == "sweep" or named["generator"] == INDUCTOR:
            named["seeder"] = INDUCTOR
        for role in needed or ROLES:
            if not named[role]:
                raise UsageError(_NO_MODEL.format(f" for the {role}" if any(named.values()) else ""))
        return {role: name for role, name in named.items() if name}

    def must_choose_gpus_here(self) -> None:
        """A judge elsewhere counts GPUs of its own; UsageError says where its are chosen."""
        if self.gpu_ids:
            raise UsageError(
                "--gpu-ids is about GPUs of this machine; where --judge or Ray starts judges, choose them there: "
                'a judge\'s own command takes it as well, as in "ssh box python3 geak_judge.pyz serve --gpu-ids 0"'
            )

    def judge_command(self, *, workers: int = 1) -> str | list[str]:
        """How the one judge is started that a short question needs."""
        from geak.judge_process import command
        from geak.judges import LOCAL

        if self.judge and self.judge[0] != LOCAL:
            self.must_choose_gpus_here()
            return self.judge[0]
        return command(allow_weak_sandbox=self.allow_weak_sandbox, workers=workers, gpu_ids=self.gpu_ids)

    def settled(self) -> Settings:
        """With what depends on whether a language model is asked: a compiler's kernels are had at once, and free."""
        strategy = self.strategy or ("sweep" if self.roles("generator")["generator"] == INDUCTOR else "reflexion")
        sweep = strategy == "sweep"
        tune = (CONFIGURATIONS if sweep else 0) if self.tune is None else self.tune
        return replace(
            self,
            strategy=strategy,
            goal=self.goal or ("best" if sweep else ""),
            samples=self.samples or (VARIANTS if sweep else 1),
            tune=tune,
        )


ROLES: tuple[Role, ...] = ("generator", "reflector", "optimizer")
"""Those that every run has."""
_NO_MODEL = (
    "no model is named{}; name one that is paid for (--model anthropic:NAME or openai:NAME), or one that needs no key: "
    "a server of yours from [models] in geak.toml, any program (--model command:PROGRAM), or replies from a file "
    "(--model scripted:FILE)"
)

TABLE: dict[str, Setting] = {f.name: Setting(f.name, **f.metadata) for f in fields(Settings) if f.metadata}
"""Every setting but the models' tables, by name."""
