"""`geak optimize`: a better kernel than the one that is there."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from geak.cli.options import RUN, AsJson, DryRun, Flags, Out, Quiet, Yes, settles
from geak.sources import load


@settles(*RUN)
def optimize(
    kernel: Annotated[str, typer.Argument(metavar="FILE[:FUNCTION]", help="The kernel to better; it is judged first.")],
    spec: Annotated[
        str | None,
        typer.Option(help="What it must compute: a spec's file, its name or PATH::TASK, instead of one drafted."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="FILE[:FUNCTION]", help="What is right, if not the kernel itself.")
    ] = None,
    test: Annotated[str, typer.Option(metavar="COMMAND", help="What is right: `pytest -q tests/test_it.py`.")] = "",
    out: Out = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
    *,
    flags: Flags,
) -> None:
    """Write a better kernel than yours. Yours is judged first, and the best is handed over with its evidence."""
    from geak import api
    from geak.cli import running

    settings = load(flags).settings
    asked: dict[str, Any] = {"spec": spec, "reference": reference, "test": test, "settings": settings, "out": out}
    if dry_run:
        running.show(api.preview_async(kernel=kernel, **asked), json=json)
    else:
        running.carry_out(partial(api.optimize_async, kernel, **asked), yes=yes, json=json, quiet=quiet)
