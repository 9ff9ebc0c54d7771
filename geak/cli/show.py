"""`geak show`: what a run, or a dataset run, has come to, also while another process works on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geak.cli.display import document, say
from geak.cli.options import AsJson


def show(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a dataset run's.")], json: AsJson = False
) -> None:
    """Show what a run tried, and what it cost. One that is under way can be looked at too."""
    from geak import report
    from geak.api import load_run
    from geak.batch.card import CARD
    from geak.cli.history import page, standing
    from geak.metrics.results import load
    from geak.report import history

    if (run / CARD).is_file():
        typer.echo(report.make(run, "json"), nl=False) if json else say("\n".join(standing(load(run))))
        return
    found = load_run(run)
    if json:
        document(history.document(found))
    else:
        say("\n".join(page(found)))
