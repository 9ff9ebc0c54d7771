"""`geak eval`: the verdict on one kernel file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geak.cli.display import say
from geak.cli.options import AsJson, JudgeCommand, Target, WeakSandbox
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Status, Verdict

EXIT = {Status.ACCEPTED: 0, Status.REJECTED: 1, Status.UNDECIDED: 6}


def evaluate(
    spec: Annotated[str, typer.Argument(help="A spec: its file, or the name of one that ships.")],
    kernel: Annotated[Path, typer.Argument(help="A Python file with the kernel.")],
    target: Target = "gfx942",
    json: AsJson = False,
    allow_weak_sandbox: WeakSandbox = False,
    judge: JudgeCommand = "",
) -> None:
    """Judge a kernel against a spec: exit code 0 accepted, 1 rejected, 6 undecided."""
    from geak.judge import Judge, command
    from geak.specs import find

    path = find(spec)
    with Judge(judge or command(allow_weak_sandbox=allow_weak_sandbox)) as room:
        verdict = room.evaluate(path, kernel, target=target)
    if json:
        print(codec.dumps(verdict))
    else:
        _print(verdict)
    raise typer.Exit(EXIT[verdict.status])


def _print(verdict: Verdict) -> None:
    say(verdict.line())
    failure = verdict.failure
    if failure is not None and len(verdict.cases) > 1:
        print(f"  {len(verdict.cases) - 1} of {verdict.asked} cases agreed before it")
    if verdict.sandbox == "base":
        print("  sandbox: base (weak: this result is only as honest as the kernel)")
    if failure is not None and verdict.log.strip():
        print("  it printed:")
        for line in verdict.log.strip().splitlines()[-4:]:
            say(f"  | {line[:160]}")
