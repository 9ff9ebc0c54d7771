"""`geak report` and `geak compare`: a run as a page, and two runs side by side."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geak.cli.display import cut, document, flat, plural, say
from geak.cli.options import AsJson

if TYPE_CHECKING:
    from geak.metrics.compare import Comparison


class Form(str, enum.Enum):
    """What a report may be written as."""

    HTML = "html"
    MD = "md"
    JSON = "json"
    JUNIT = "junit"


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a dataset run's.")],
    format: Annotated[Form, typer.Option(help="A page, Markdown, JSON, or JUnit XML for CI.")] = Form.HTML,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write it; - is standard output. [default: in the run's folder]", metavar="FILE"),
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Of a dataset run: write every kernel's page too, and link to it.")
    ] = False,
) -> None:
    """Write what a run came to as one file that needs no other."""
    from geak import report as reports

    if each:
        say(f"wrote {plural(reports.write_each(run), 'page')} of kernels below {run}", error=True)
    if str(out) == "-":
        typer.echo(reports.make(run, format.value), nl=False)
        return
    say(f"wrote {reports.write(run, format.value, out)}")


def compare(
    first: Annotated[Path, typer.Argument(help="The run that was before.")],
    second: Annotated[Path, typer.Argument(help="The run that is compared with it.")],
    force: Annotated[bool, typer.Option("--force", help="Although they were not made alike.")] = False,
    json: AsJson = False,
) -> None:
    """Compare two runs, task by task: what changed, and what of it is noise."""
    from geak.metrics.compare import compare as compared
    from geak.metrics.results import load

    found = compared(load(first), load(second), force=force)
    if json:
        document({"comparisons": found})
        return
    for one in found:
        for line in _lines(one):
            say(line)


def _lines(one: Comparison) -> list[str]:
    from geak.batch.card import kernel_name
    from geak.report.figures import difference, figure

    soft = ", soft tasks" if one.soft else ""
    lines = [f"{plural(one.tasks, 'task')} in {plural(one.pairs, 'pair')}, policy {one.policy}{soft}"]
    lines += [f"  made otherwise: {flat(said)}" for said in one.unequal]
    lines += [f"  compared: {flat(said)}" for said in one.about]
    lines.append(f"{'':<46}{'before':>12}{'after':>12}  difference, at 95 %")
    for d in one.differences:
        if d.difference is None:
            lines.append(f"{cut(d.title, 45):<46}{flat(d.note) or 'not known':>12}")
            continue
        values = f"{figure(d.first, d.unit):>12}{figure(d.second, d.unit):>12}"
        known = d.low is not None and d.high is not None
        ends = f" ({difference(d.low or 0.0, d.unit)} to {difference(d.high or 0.0, d.unit)})" if known else ""
        ends = ends.replace(" points to ", " to ")  # the unit once is enough
        lines.append(f"{cut(d.title, 45):<46}{values}  {difference(d.difference, d.unit)}{ends}: {d.word}")
    won = [c for c in one.changed if c.second == "accepted"]
    lost = [c for c in one.changed if c.first == "accepted"]
    for word, which in (("solved now", won), ("solved no more", lost)):
        if which:
            names = ", ".join(flat(kernel_name(c.task, c.repeat)) for c in which[:8]) + ", ..." * (len(which) > 8)
            lines.append(f"{word}: {len(which)} ({names})")
    if one.alone:
        lines.append(f"left out, since only one run has them: {plural(len(one.alone), 'task')}")
    return lines
