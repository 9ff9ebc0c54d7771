"""Options that several commands share: the settings' flags are made of their table."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from geak.settings import TABLE, Setting

WeakSandbox = Annotated[bool, typer.Option("--allow-weak-sandbox", help=TABLE["allow_weak_sandbox"].help)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Targets = Annotated[list[str], typer.Option("--target", "-t", help=TABLE["target"].help)]
JudgeCommand = Annotated[
    str,
    typer.Option("--judge", envvar="GEAK_JUDGE", help="How to start the judge, if not on this machine's Python."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Spend more than $10 without being asked.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show the first prompts, the calls and the most that they can cost; ask nobody."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]

EPILOG = (
    "Every setting can also be said as GEAK_NAME, in .env or in geak.toml (geak config show). Exit codes: 0 the goal is "
    "met, 1 it is not, 2 a file or an option cannot be meant, 3 this machine lacks something, 4 what may be spent is "
    "spent, 5 a model does not answer, 6 it cannot be decided here, 130 interrupted."
)

Command = Callable[..., Any]


def settles(*names: str) -> Callable[[Command], Command]:
    """Gives a command the flags of these settings; its parameter `flags` gets those that were given, by name."""

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def with_flags(**given: Any) -> Any:
            flags = {name: given.pop(name) for name in names}
            return command(**given, flags={name: value for name, value in flags.items() if value not in (None, [])})

        own = [parameter for parameter in signature.parameters.values() if parameter.name != "flags"]
        parameters = [*own, *(_parameter(TABLE[name]) for name in names)]
        with_flags.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return with_flags

    return decorate


def _parameter(setting: Setting) -> inspect.Parameter:
    """An option that is None where nothing was said, so that lower layers count; its text is read with theirs."""
    names = [setting.flag, *_SHORT.get(setting.name, ())]
    default = f" [default: {setting.shown}]" if setting.shown else ""
    option = typer.Option(*names, help=setting.help + default, metavar=setting.metavar or None)
    kind: Any = bool if not setting.metavar else list[str] if setting.separator else str
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


_SHORT = {"target": ("-t",), "model": ("-m",)}
