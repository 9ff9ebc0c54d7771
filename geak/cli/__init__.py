"""The command line: reads options, calls one function, prints what it says; no logic of its own."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from geak.cli import (
    batch,
    config,
    display,
    doctor,
    evaluate,
    generate,
    judge_command,
    models,
    optimize,
    profile,
    report,
    resume,
    show,
    specs,
    traces,
    tune,
)
from geak.cli.display import document, say
from geak.cli.options import EPILOG, EXIT_CODES
from geak.errors import GeakError, MachineError
from geak.version import __version__

app = typer.Typer(
    name="geak",
    help="Have models write GPU kernels in Triton, and prove them.",
    epilog="To begin without a key: geak generate softmax --model scripted:softmax",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("optimize", epilog=EPILOG)(optimize.optimize)
app.command("generate", epilog=EPILOG)(generate.generate)
app.command("batch", epilog=EPILOG)(batch.batch)
app.command("resume", epilog=EXIT_CODES)(resume.resume)
app.command("show")(show.show)
app.command("report")(report.report)
app.command("compare")(report.compare)
app.command("export-traces")(traces.export_traces)
app.add_typer(specs.app, name="specs")
app.add_typer(judge_command.app, name="judge")
app.add_typer(models.app, name="models")
app.add_typer(config.app, name="config")
app.command("eval")(evaluate.evaluate)
app.command("tune")(tune.tune)
app.command("profile")(profile.profile)
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
    before = display.printed
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except GeakError as error:
        if os.environ.get("GEAK_DEBUG"):
            raise
        say(f"error: {error}", error=True)
        _end(str(error), error.exit_code, before)
    except BrokenPipeError:
        _unread()
    except OSError as error:
        if os.environ.get("GEAK_DEBUG"):
            raise
        _unwritten(error)
    except SystemExit as end:
        behind = _behind(end)
        if isinstance(behind, BrokenPipeError):
            _unread()
        if isinstance(behind, KeyboardInterrupt):
            say("interrupted", error=True)
            _end("interrupted", 130, before)
        if end.code:
            _end("nothing came of it; standard error says why", int(end.code), before)
        raise


def _behind(end: BaseException | None) -> BaseException | None:
    """What a command ended by, where typer has made an exit code of it."""
    while end is not None and not isinstance(end, BrokenPipeError | KeyboardInterrupt):
        end = end.__cause__ or end.__context__
    return end


def _unread() -> NoReturn:
    """The reader of our output left: as where SIGPIPE ends a program."""
    _let_go()
    sys.exit(128 + signal.SIGPIPE)


def _unwritten(error: OSError) -> NoReturn:
    """A disk is full, or the like; what was under way has told of its own files already."""
    what = f"{error.filename}" if error.filename else "what was to be printed could not be written"
    say(f"error: {what}: {(error.strerror or str(error)).lower()}", error=True)
    _let_go()
    sys.exit(MachineError.exit_code)


def _let_go() -> None:
    """What Python still holds back for standard output goes nowhere, rather than fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _end(message: str, code: int, printed: int) -> NoReturn:
    """Ends with this code; a program that was promised a JSON document gets one all the same."""
    if "--json" in sys.argv and display.printed == printed:
        document({"error": {"message": message, "exit_code": code}})
    sys.exit(code)
