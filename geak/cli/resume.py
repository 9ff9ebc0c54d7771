"""`geak resume`: a run gone on with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from geak.cli.options import AsJson, Flags, Quiet, Yes, settles
from geak.errors import UsageError
from geak.sources import load

_MAY_CHANGE = ("usd", "tokens", "minutes", "calls", "rounds", "goal")


@settles(*_MAY_CHANGE, "judge", "executor", "address", "gpu_ids", "allow_weak_sandbox", kept=(*_MAY_CHANGE, "judge"))
def resume(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    yes: Yes = False,
    json: AsJson = False,
    quiet: Quiet = False,
    *,
    flags: Flags,
) -> None:
    """Go on with a run where it was left. What it may spend can be raised; nothing is bought twice."""
    from geak import api
    from geak.batch.card import CARD, read_card
    from geak.cli import running

    if (run / CARD).is_file():
        from geak.cli.batch import begun_by

        raise UsageError(f"{run} is a dataset run: geak batch goes on with it, as in {begun_by(read_card(run), run)}")
    settings = load(flags).settings
    options = {name: getattr(settings, name) for name in _MAY_CHANGE if name in flags}
    running.carry_out(partial(api.resume_async, run, settings=settings, **options), yes=yes, json=json, quiet=quiet)
