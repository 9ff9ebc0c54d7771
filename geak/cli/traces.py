"""`geak export-traces`: trajectories for training."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from geak.cli.display import plural, say
from geak.errors import UsageError
from geak.journal.store import hand_out


class Kept(str, enum.Enum):
    """Which trajectories are written."""

    ALL = "all"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Speaker(str, enum.Enum):
    """Whose answers are written."""

    GENERATOR = "generator"
    REFLECTOR = "reflector"
    OPTIMIZER = "optimizer"


def export_traces(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs and of dataset runs.")],
    out: Annotated[str, typer.Option(help="A .jsonl or .parquet file; - is standard output.", metavar="FILE")] = "-",
    keep: Annotated[Kept, typer.Option(help="Which trajectories.")] = Kept.ALL,
    concise: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of each task's accepted answers only this share, those with the least reasoning, and of the timed "
            "ones the faster half: 0.5.",
        ),
    ] = None,
    role: Annotated[list[Speaker] | None, typer.Option(help="Whose answers; repeat it for more.")] = None,
) -> None:
    """Write what models were asked and answered, with verdict and reward, for training."""
    from geak import traces
    from geak.models.config import read, secrets
    from geak.sources import load

    if concise is not None and not 0 < concise <= 1:
        raise UsageError(f"--concise {concise:g}: a share lies above 0 and not above 1")
    if out != "-" and not out.endswith((".jsonl", ".parquet")):
        raise UsageError(f"--out {out}: the name says how it is written, by its end: .jsonl or .parquet")
    roles = [one.value for one in role or [Speaker.GENERATOR]]
    settings = load({}).settings
    hidden = secrets((read(name, table) for name, table in settings.models.items()), settings.environment)
    found = [one for run in runs for one in traces.traces(run, roles, hidden)]
    if keep is not Kept.ALL:
        found = [one for one in found if one.status == keep.value]
    if concise is not None:
        found = traces.concise(found, concise)
    if out == "-":
        for line in traces.lines(found):
            typer.echo(line)
        return
    if out.endswith(".parquet"):
        traces.write_parquet(found, Path(out))
    else:
        hand_out(Path(out), "".join(f"{line}\n" for line in traces.lines(found)).encode())
    say(f"wrote {plural(len(found), 'trajectory').replace('trajectorys', 'trajectories')} to {out}")
