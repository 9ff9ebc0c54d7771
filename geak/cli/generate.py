"""`geak generate`: a kernel for a spec, or for a task in words."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from geak.cli.options import RUN, AsJson, DryRun, Flags, Out, Quiet, Yes, settles
from geak.sources import load


@settles(*RUN, "drafter_model")
def generate(
    spec: Annotated[
        str | None,
        typer.Argument(help="A spec: its file, the name of one that ships, or PATH::TASK of a benchmark's checkout."),
    ] = None,
    from_text: Annotated[
        str, typer.Option(metavar="WORDS", help="What is to be computed, in words: a model drafts the spec.")
    ] = "",
    out: Out = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
    *,
    flags: Flags,
) -> None:
    """Write a kernel for a spec. The best is handed over with its evidence."""
    from geak import api
    from geak.cli import running

    settings = load(flags).settings
    asked: dict[str, Any] = {"from_text": from_text, "settings": settings, "out": out}
    if dry_run:
        running.show(api.preview_async(spec, **asked), json=json)
    else:
        running.carry_out(partial(api.generate_async, spec, **asked), yes=yes, json=json, quiet=quiet, drafts=True)
