"""The command line: reads options, calls one function, prints what it says; no logic of its own."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from geak import __version__
from geak.cli import doctor, evaluate, judge_command, specs
from geak.cli.display import say
from geak.errors import GeakError

app = typer.Typer(
    name="geak",
    help="Write GPU kernels in Triton, and prove them.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(specs.app, name="specs")
app.add_typer(judge_command.app, name="judge")
app.command("eval")(evaluate.evaluate)
app.command("doctor")(doctor.doctor)


def _version(asked: bool) -> None:
    if asked:
        print(f"geak {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which GEAK this is.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; what went wrong is told in a sentence, with a traceback only if GEAK_DEBUG is set."""
    try:
        app()
    except GeakError as error:
        if os.environ.get("GEAK_DEBUG"):
            raise
        say(f"error: {error}", error=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left; what Python still holds back must not fail loudly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
