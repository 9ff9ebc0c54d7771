"""Options that several commands share: the settings' flags are made of their table."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from geak.settings import TABLE, Setting, Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Spend more than $10 without being asked.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the first prompts, the calls and what they can cost; ask no model.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="The run's folder; where it holds this run already, the run goes on. [default: a new one in --runs]",
        metavar="FOLDER",
    ),
]

RUN = tuple(name for name in TABLE if name != "drafter_model")
"""The settings of a run."""

EXIT_CODES = (
    "Exit codes: 0 the goal is met, 1 it is not, 2 a file or an option cannot be meant, 3 this machine lacks "
    "something, 4 what may be spent is spent, 5 a model does not answer, 6 it cannot be decided here, 130 interrupted."
)
EPILOG = f"Every setting can also be said as GEAK_NAME, in .env or in geak.toml (geak config show). {EXIT_CODES}"

Flags = Mapping[str, object]
Function = Callable[..., Any]

_SHORT = {"target": ("-t",), "model": ("-m",)}


def settles(*names: str, kept: Collection[str] = ()) -> Callable[[Function], Function]:
    """Gives a command the flags of these settings; its parameter `flags` gets those that were given, by name.

    Those that are `kept` are a run's own where no flag says otherwise.
    """

    def decorate(command: Function) -> Function:
        signature = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def with_flags(**given: Any) -> Any:
            flags = {name: given.pop(name) for name in names}
            return command(**given, flags={name: value for name, value in flags.items() if value not in (None, [])})

        own = [parameter for parameter in signature.parameters.values() if parameter.name != "flags"]
        parameters = [*own, *(_option(TABLE[name], kept=name in kept) for name in names)]
        with_flags.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return with_flags

    return decorate


def judge_of(settings: Settings, *, workers: int = 1) -> str | list[str]:
    """How the one judge is started that a short command needs."""
    return settings.judge_command(workers=workers)


def _option(setting: Setting, *, kept: bool) -> inspect.Parameter:
    """None where nothing was said, so that lower layers count; a text, that is read as they are."""
    names = [setting.flag, *_SHORT.get(setting.name, ())]
    shown = "the run's own" if kept else setting.shown
    default = f" [default: {shown}]" if shown else ""
    option = typer.Option(*names, help=setting.help + default, metavar=setting.metavar or None)
    kind: Any = bool if not setting.metavar else list[str] if setting.separator else str
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )
