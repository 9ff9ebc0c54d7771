"""`geak eval`: the verdict on one kernel file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geak.cli.display import say
from geak.cli.options import AsJson, JudgeCommand, Targets, WeakSandbox
from geak_evaluator.schema import codec
from geak_evaluator.schema.verdict import Policy, Status, Tier, Verdict

EXIT = {Status.ACCEPTED: 0, Status.REJECTED: 1, Status.UNDECIDED: 6}


def evaluate(
    spec: Annotated[str, typer.Argument(help="A spec: its file, or the name of one that ships.")],
    kernel: Annotated[Path, typer.Argument(help="A Python file with the kernel.")],
    target: Targets = ["gfx942"],  # noqa: B006 - typer's own way to say it
    tier: Annotated[Tier, typer.Option(help="How much is asked: one case, everything, or everything and unseen.")] = (
        Tier.FULL
    ),
    policy: Annotated[Policy, typer.Option(help="What may do the work beside Triton kernels.")] = Policy.PURE,
    json: AsJson = False,
    allow_weak_sandbox: WeakSandbox = False,
    judge: JudgeCommand = "",
) -> None:
    """Judge a kernel against a spec: exit code 0 accepted, 1 rejected, 6 undecided."""
    from geak.judge import Judge, command
    from geak.specs import find

    path = find(spec)
    with Judge(judge or command(allow_weak_sandbox=allow_weak_sandbox)) as room:
        verdict = room.evaluate(path, kernel, targets=target, tier=tier, policy=policy)
    if json:
        print(codec.dumps(verdict))
    else:
        _print(verdict)
    raise typer.Exit(EXIT[verdict.status])


def _print(verdict: Verdict) -> None:
    say(verdict.line())
    lines = [f"  {line}" for line in verdict.details()]
    if verdict.sandbox == "base":
        lines.insert(0, "  sandbox: base (weak: this result is only as honest as the kernel)")
    if verdict.failure is not None and verdict.log.strip():
        lines = [*lines[:3], "  it printed:", *(f"  | {line[:160]}" for line in verdict.log.strip().splitlines()[-4:])]
    for line in lines[:8]:
        say(line)
