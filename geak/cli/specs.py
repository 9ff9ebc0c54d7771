"""`geak specs`: list, show, lint and draft specs."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geak.cli import listing
from geak.cli.display import document, say
from geak.cli.options import AsJson, Flags, judge_of, settles
from geak.errors import SpecError, UsageError
from geak.journal.store import hand_out
from geak.sources import load
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.spec import Description

if TYPE_CHECKING:
    from geak.formats.registry import Checkout

app = typer.Typer(help="List, show, check and draft specs.", no_args_is_help=True, rich_markup_mode=None)

Where = Annotated[
    Path | None,
    typer.Argument(help="A folder of specs, or a benchmark's checkout or part of it; by default those that ship."),
]


@app.command("list")
@settles("judge", "allow_weak_sandbox")
def list_(path: Where = None, json: AsJson = False, *, flags: Flags) -> None:
    """List specs, or a benchmark's tasks. A line each: its name, what it computes, and why it cannot run here."""
    from geak.judge import Judge
    from geak.specs import declares, within

    if path is not None and (foreign := _foreign(path)) is not None:
        listing.show(foreign, json=json)
        return
    files = within(path)
    rows: list[dict[str, object]] = []
    failed = 0
    with Judge(judge_of(load(flags).settings)) as room:
        for file in files:
            try:
                declares(file)
                about = room.describe(file)
            except SpecError as error:
                failed += 1
                rows.append({"name": file.stem, "problem": str(error)})
                if not json:
                    say(f"{file.stem:<20} not a spec: {str(error).splitlines()[0]}")
                continue
            rows.append(
                {
                    "name": about.name,
                    "title": about.title,
                    "cases": len(about.spec.cases),
                    "contract": about.spec.contract,
                    "oracle": about.spec.oracle,
                }
            )
            if not json:
                say(f"{about.name:<20} {about.spec.oracle:<9} {about.spec.contract:<12} {_short(about.title, 76)}")
    if json:
        document({"specs": rows})
    if failed == len(files):
        raise typer.Exit(2)


def _foreign(path: Path) -> Checkout | None:
    """What is recognised there, unless it is all specs of ours, which a judge describes."""
    from geak.formats.native import Native
    from geak.formats.registry import checkout, recognised

    found = recognised(path)
    if all(one.name == Native.name and where == path for one, where in found) and (found or path.is_file()):
        return None
    return checkout(path)


@app.command()
@settles("elements", "judge", "allow_weak_sandbox")
def show(
    spec: Annotated[str, typer.Argument(help="A spec: its file, the name of one that ships, or PATH::TASK.")],
    json: AsJson = False,
    *,
    flags: Flags,
) -> None:
    """Show all that a spec declares."""
    from geak.formats.base import Scale
    from geak.formats.registry import at_hand
    from geak.judge import Judge

    settings = load(flags).settings
    judge = judge_of(settings)
    with at_hand(spec, judge, Scale(settings.elements)) as task, Judge(judge) as room:
        about = room.describe(task.spec)
    if json:
        document(about)
    else:
        say("\n".join(page(about)))


@app.command()
@settles("elements", "judge", "allow_weak_sandbox")
def lint(
    path: Annotated[str, typer.Argument(help="A spec, a folder of specs, the name of one that ships, or PATH::TASK.")],
    json: AsJson = False,
    *,
    flags: Flags,
) -> None:
    """Find what is weak about a spec. Lazy answers that would pass, casts, sizes; exit code 1 if it is unfit."""
    from geak.formats.base import Scale
    from geak.formats.registry import at_hand
    from geak.judge import Judge
    from geak.specs import declares, within

    settings = load(flags).settings
    judge = judge_of(settings)
    results: list[Findings] = []
    broken: list[str] = []
    with ExitStack() as open_:
        if Path(path).is_dir():
            files = within(Path(path))
        else:
            files = [open_.enter_context(at_hand(path, judge, Scale(settings.elements))).spec]
        room = open_.enter_context(Judge(judge))
        for file in files:
            try:
                if Path(path).is_dir():
                    declares(file)
                results.append(room.lint(file))
            except SpecError as error:
                if len(files) == 1:
                    raise
                broken.append(str(error))
                continue
            if not json:
                say("\n".join(_findings(results[-1])))
    if json:
        document({"specs": results, "broken": broken})
    else:
        for text in broken:
            say(f"not a spec: {text}")
    if broken or any(result.errors for result in results):
        raise typer.Exit(1)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The new spec's name; NAME.py is written.")] = "",
    from_torch: Annotated[
        str,
        typer.Option(
            "--from-torch",
            metavar="FILE[:FUNCTION]",
            help="Draft it from a PyTorch function or module, by reading the file.",
        ),
    ] = "",
    from_kernel: Annotated[
        str,
        typer.Option(
            "--from-kernel",
            metavar="FILE[:FUNCTION]",
            help="Draft it from a Triton kernel and its wrapper, by reading the file.",
        ),
    ] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write it.")] = None,
) -> None:
    """Write a spec to begin from. A file that it is drafted from is read, and not run."""
    from geak import drafting

    if from_torch and from_kernel:
        raise UsageError("--from-torch and --from-kernel exclude each other")
    try:
        if from_torch:
            draft = drafting.from_torch(*_place(from_torch))
        elif from_kernel:
            path, function = _place(from_kernel)
            draft = drafting.from_kernel(path, function).beside(path, out.parent if out else Path())
        elif name:
            draft = drafting.blank(name)
        else:
            raise UsageError("name the new spec: geak specs new my_kernel")
    except drafting.DraftError as error:
        raise UsageError(str(error)) from None
    target = out or Path(f"{name or draft.name}.py")
    if os.path.lexists(target):
        raise UsageError(f"{target} is there already, and is left as it is; choose another name or --out")
    hand_out(target, draft.text.encode())
    print(f"wrote {target}")
    for question in draft.questions:
        say(f"  check: {question}")
    print(f"next: geak specs lint {target}")


def _place(text: str) -> tuple[Path, str | None]:
    path, _, function = text.partition(":")
    return Path(path), function or None


def page(about: Description) -> list[str]:
    """A description as a person reads it."""
    spec = about.spec
    lines = [f"{about.name}: {about.title}"]
    lines += [f"  {line}" for line in about.doc.strip().splitlines()[1:]]
    lines.append(f"entry      {about.entry}({', '.join(spec.inputs)})  contract {spec.contract}, oracle {spec.oracle}")
    for title, items in (("axes", spec.axes), ("types", spec.dtypes), ("inputs", spec.inputs), ("init", spec.init)):
        for index, (name, item) in enumerate(items.items()):
            text = " | ".join(item) if isinstance(item, tuple) else str(item)
            lines.append(f"{title if index == 0 else '':<10} {name}: {text}")
    if spec.outputs is not None:
        from geak_evaluator.schema.spec import leaves

        for index, (path, item) in enumerate(leaves(spec.outputs)):
            lines.append(f"{'outputs' if index == 0 else '':<10} {path + ': ' if path else ''}{item}")
    for title, texts in (("where", spec.where), ("changes", spec.changes), ("gradient", spec.wrt)):
        if texts:
            lines.append(f"{title:<10} {'; '.join(texts)}")
    for title, cases in (("cases", spec.cases), ("bench", spec.bench)):
        for index, case in enumerate(cases):
            weight = f"  weight {case.weight:g}" if case.weight != 1 else ""
            lines.append(f"{title if index == 0 else '':<10} {case}{weight}")
    return lines


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3].rstrip() + "..."


def _findings(result: Findings) -> list[str]:
    if not result.findings:
        return [f"{result.name}: fit ({result.cases} cases)"]
    lines = [f"{result.name}: {'unfit' if result.errors else 'fit, with warnings'} ({result.cases} cases)"]
    for finding in result.findings:
        case = f" [{finding.case}]" if finding.case else ""
        lines.append(f"  {finding.severity}: {finding.message}{case}  ({finding.rule})")
        lines.append(f"    mend: {finding.mend}")
    return lines
