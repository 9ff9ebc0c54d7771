"""`geak show`: what a run has come to, also while another process works on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geak.cli.display import document, say
from geak.cli.options import AsJson


def show(run: Annotated[Path, typer.Argument(help="The run's folder.")], json: AsJson = False) -> None:
    """Show what a run tried, and what it cost. One that is under way can be looked at too."""
    from geak.api import load_run
    from geak.cli.history import page
    from geak.report import history

    found = load_run(run)
    if json:
        document(history.document(found))
    else:
        say("\n".join(page(found)))
