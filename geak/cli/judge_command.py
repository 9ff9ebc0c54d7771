"""`geak judge`: the judge itself, to be taken elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geak.cli.display import say

app = typer.Typer(help="Take the judge elsewhere.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    pass


@app.command()
def pack(
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = Path("geak_judge.pyz"),
) -> None:
    """Write the judge as one file. It runs wherever Python 3.10, torch, triton and numpy are."""
    from geak.pack import pack as write

    size = write(out)
    say(f"wrote {out} ({size // 1024} KiB); elsewhere: geak eval ... --judge 'ssh HOST python3 {out.name} serve'")
