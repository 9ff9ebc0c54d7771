"""What a run came to: for a person, and for a program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from geak.cli.display import flat
from geak.cli.progress import spent
from geak.from_words import with_draft
from geak.population import GIVEN, Candidate
from geak.runs import Result
from geak.workshop import ALLOWED
from geak_evaluator.schema import codec


def page(result: Result) -> list[str]:
    """The verdict on the best (or nearest), where the kernel is, what was spent, how to go on."""
    shown = result.best or result.population.nearest
    verdict = (shown.final or shown.verdict) if shown is not None else None
    lines = [verdict.line(), *(f"  {line}" for line in shown.details)] if shown and verdict is not None else []
    if shown is not None and verdict is None:
        lines.append(f"not judged: {flat(shown.trouble or 'the run ended before')}")
    return [
        *lines,
        f"result  {result.message}",
        f"best    {_where(result, shown)}",
        f"spent   {spent(with_draft(result.folder, result.population))}",
        *[f"go on   {on}" for on in (_how_on(result),) if on],
    ]


def report(result: Result) -> dict[str, Any]:
    """The same for a program."""
    best, account = result.best, with_draft(result.folder, result.population).account
    return {
        "run": result.run,
        "folder": str(result.folder),
        "spec": result.population.conditions.spec,
        "reason": result.reason,
        "message": result.message,
        "exit_code": result.exit_code,
        "best": None if best is None else {**_plain(best), "path": str(_handed_over(result.folder) or "")},
        "spent": {
            "usd": None if account.unpriced else account.usd,
            "known_usd": account.usd,
            "unpriced_calls": account.unpriced,
            "calls": account.calls,
            "tokens": account.usage.total,
            "usage": codec.to_json(account.usage),
        },
        "go_on": _how_on(result),
    }


def again(folder: Path | None) -> str:
    """The command that goes on with a run."""
    return f"geak resume {shlex.quote(str(folder))}"


def _plain(candidate: Candidate) -> dict[str, Any]:
    return {
        "candidate": candidate.name,
        "move": candidate.move.kind,
        "parents": candidate.move.parents,
        "sha256": candidate.source,
        "verdict": candidate.verdict,
        "final": candidate.final,
    }


def _where(result: Result, shown: Candidate | None) -> str:
    path = _handed_over(result.folder)
    if shown is None or path is None:
        return "no kernel was written"
    name = "the kernel that was given" if shown.name == GIVEN else f"candidate {shown.name}"
    return f"{path} ({name})" if result.best is not None else f"none was accepted; the nearest is {path} ({name})"


def _handed_over(folder: Path) -> Path | None:
    names = ("best.patch", "best.py", "nearest.py")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _how_on(result: Result) -> str:
    """The command that goes on; empty for a sweep that is over, which makes the same of any number of rounds."""
    asked = result.population.conditions
    if asked.strategy == "sweep" and result.reason in ("goal", "rounds") and result.message != ALLOWED:
        return ""
    rounds = f" --rounds {2 * asked.rounds}"
    more = {"goal": rounds if asked.goal == "best" else " --goal best", "rounds": rounds}.get(result.reason, "")
    spent_cap = re.search(r"--(usd|tokens|minutes|calls)\b", result.message)
    if result.reason == "budget" and spent_cap is not None:
        more = f" {spent_cap[0]} {2 * (getattr(asked.caps, spent_cap[1]) or 1):g}"
    return again(result.folder) + more
