"""`geak batch`: kernels for a whole dataset, under one budget."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geak.cli.display import document, flat, money, plural, say
from geak.cli.options import RUN, AsJson, DryRun, Flags, Quiet, Yes, settles
from geak.settings import ROLES, TABLE, Settings

if TYPE_CHECKING:
    from geak.batch.card import Card
    from geak.batch.planning import BatchOpening
    from geak.batch.running import BatchResult

_MOST = 8
"""Kernels that are named of each kind; the summary has them all."""


@settles(*RUN)
def batch(
    dataset: Annotated[str, typer.Argument(help="A folder of specs, its name if it ships, or a benchmark's checkout.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The dataset run's folder; where it holds this one already, it goes on. [default: a new one in "
            "--runs]",
            metavar="FOLDER",
        ),
    ] = None,
    filter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Tasks whose name or category matches: 'level1/*', re:relu|gelu; repeat it for more.",
        ),
    ] = None,
    slice: Annotated[str, typer.Option(metavar="A:B", help="Of these, from number A to B: :10, 10:20, -5:.")] = "",
    shuffle: Annotated[
        int | None, typer.Option(metavar="SEED", help="In an order by chance, the same for the same seed.")
    ] = None,
    repeat: Annotated[int, typer.Option(metavar="NUMBER", help="Independent runs of each task.")] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Kernels at a time. [default: what keeps models and judges at work]"),
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Every N-th task from the I-th, and the N-th part of what may be spent.")
    ] = "",
    retry: Annotated[
        str,
        typer.Option(metavar="failed", help="failed: try again what could not be run, or a provider or machine ended."),
    ] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    json: AsJson = False,
    quiet: Quiet = False,
    *,
    flags: Flags,
) -> None:
    """Write kernels for a whole dataset. What may be spent is for all of them together.

    Exit codes: 0 every goal is met, 1 not every (or a task could not be run), 4 the budget ended it, 3 or 5 a machine
    or a provider did, 6 what is missing cannot be decided here.
    """
    from geak import api

    asked: dict[str, Any] = {
        "filter": filter or (),
        "slice": slice,
        "shuffle": shuffle,
        "repeat": repeat,
        "shard": shard,
        "retry": retry,
        "jobs": jobs,
        "out": out,
        **flags,
    }
    if dry_run:
        import asyncio

        _show(asyncio.run(api.preview_batch_async(dataset, **asked)), json=json)
        return
    result = _carry_out(dataset, asked, yes=yes, json=json, quiet=quiet)
    if json:
        document(report(result))
    else:
        say("\n".join(page(result)))
    raise typer.Exit(result.exit_code)


def _carry_out(dataset: str, asked: dict[str, Any], *, yes: bool, json: bool, quiet: bool) -> BatchResult:
    import asyncio

    from geak import api
    from geak.cli.batch_progress import progress
    from geak.cli.running import Sitting, consent

    with ExitStack() as shown:
        sitting = Sitting(shown, yes=yes, json=json, quiet=quiet)
        watch: Any = None

        def agree(opening: BatchOpening) -> None:
            nonlocal watch
            say("\n".join(first_lines(opening)), error=True)
            consent(opening.caps, opening.most, yes=yes)
            watch = shown.enter_context(progress(opening, quiet=quiet))
            sitting.begins(opening.folder, same_again(opening.folder))

        work = api.batch_async(dataset, watch=lambda what: watch(what), stopper=sitting.stopper, agree=agree, **asked)
        try:
            return asyncio.run(work)
        except asyncio.CancelledError:
            raise typer.Exit(130) from None


def first_lines(opening: BatchOpening) -> list[str]:
    """What a person must know before anything is spent."""
    from geak.cli.running import costs, models

    card = opening.card
    targets = ", ".join(card.targets) + " (by default)" * opening.targets_by_default
    part = f", part {opening.shard} of {plural(len(card.tasks) * card.repeats, 'kernel')}" * (opening.shard.of > 1)
    begun = f", {opening.begun:,} begun before" * bool(opening.begun)
    nothing = "every kernel is at its end, and nothing more is spent"
    cost = nothing if opening.over == opening.kernels else costs(card.models, opening.caps, opening.most)
    times = f"{plural(len(card.tasks), 'task')} x {card.repeats}: " * (card.repeats > 1)
    size = f"{times}{plural(opening.kernels, 'kernel')}{part}{begun}"
    return [
        f"{card.dataset}: {size}; {opening.jobs} at a time, {plural(opening.judges, 'judge')} at the most",
        f"{models(card.models)}; {cost}; for {targets}",
        *(f"note: {note}" for note in opening.notes),
        *[f"left out: {one.name}: {one.why}" for one in card.left_out[:_MOST]],
        *[f"left out: {len(card.left_out) - _MOST:,} more, named in the card"] * (len(card.left_out) > _MOST),
        f"run in {opening.folder}",
    ]


def page(result: BatchResult) -> list[str]:
    """What a dataset run came to, for a person."""
    lines = []
    for fate, says in _SAYS.items():
        found = [one for one in result.outcomes if one.fate == fate]
        if not found:
            continue
        lines.append(f"{len(found):>7,}  {says}")
        if fate not in ("goal", "waiting"):
            lines += [f"         {one.name}: {flat(one.message)[:160]}" for one in found[:_MOST]]
            lines += [f"         and {len(found) - _MOST:,} more"] * (len(found) > _MOST)
    account = result.account
    usd = money(account.usd, account.unpriced)
    asked = any(model.language for model in result.card.models.values())
    spent = f"{usd}, {plural(account.calls, 'call')}, {account.usage.total:,} tokens"
    return [
        *lines,
        f"result  {result.message}",
        f"kernels {result.folder / 'kernels'}",
        f"spent   {spent if asked else 'nothing: no language model was asked'}",
        f"page    geak report {shlex.quote(str(result.folder))}",
        *[f"go on   {on}" for on in (_how_on(result),) if on],
    ]


_SAYS = {
    "goal": "reached the goal",
    "rounds": "did not reach it in their rounds",
    "budget": "spent their share",
    "provider": "ended by their provider",
    "machine": "ended by this machine",
    "interrupted": "interrupted",
    "skipped": "could not be run",
    "mistake": "ended by a mistake of GEAK's",
    "elsewhere": "worked on by another process",
    "waiting": "not begun",
}


_OVER = frozenset({"goal", "rounds"})
_FAILED = frozenset({"provider", "machine", "skipped"})
"""What only `--retry failed` tries again."""


def report(result: BatchResult) -> dict[str, Any]:
    """The same for a program."""
    account = result.account
    return {
        "folder": str(result.folder),
        "dataset": result.card.dataset,
        "reason": result.reason,
        "message": result.message,
        "exit_code": result.exit_code,
        "counts": result.counts,
        "spent": {
            "usd": None if account.unpriced else account.usd,
            "known_usd": account.usd,
            "unpriced_calls": account.unpriced,
            "calls": account.calls,
            "tokens": account.usage.total,
            "usage": account.usage,
        },
        "kernels": result.outcomes,
        "left_out": result.card.left_out,
        "go_on": _how_on(result),
    }


def _how_on(result: BatchResult) -> str:
    """The command that goes on; empty where every kernel is at its end."""
    fates = {one.fate for one in result.outcomes}
    if fates <= _OVER:
        return ""
    again = same_again(result.folder)
    return f"{again} --retry failed" if fates & _FAILED and "--retry" not in again else again


def same_again(folder: Path) -> str:
    """The command that goes on: the same, with its folder."""
    words = sys.argv[1:]
    out = [] if any(word == "--out" or word.startswith("--out=") for word in words) else ["--out", str(folder)]
    return shlex.join(["geak", *words, *out])


def begun_by(card: Card, folder: Path) -> str:
    """A command that goes on with a dataset run, by what its card says; of the dataset it knows the name alone."""
    models = {role: asked.model for role, asked in card.models.items() if asked.language}
    named = {f"{role}_model": model for role, model in models.items()}
    if len(set(models.values())) == 1 and len(models) >= len(ROLES):
        named = {"model": next(iter(models.values()))}
    usual = replace(Settings(), **named).settled()  # type: ignore[arg-type]
    for name in ("goal", "strategy", "samples", "rounds", "repairs", "ancestors", "tune", "elements", "hint"):
        if getattr(card, name) != getattr(usual, name):
            named[name] = str(getattr(card, name))
    caps = {one.name: getattr(card.caps, one.name) for one in fields(card.caps)}
    named |= {name: f"{cap:g}" if isinstance(cap, float) else str(cap) for name, cap in caps.items() if cap is not None}
    chosen = [f"--filter={pattern}" for pattern in card.selection.filter]
    chosen += [f"--slice={card.selection.slice}"] * bool(card.selection.slice)
    chosen += [f"--shuffle={card.selection.shuffle}"] * (card.selection.shuffle is not None)
    chosen += [f"--repeat={card.repeats}"] * (card.repeats != 1)
    given = [word for name, value in named.items() for word in (TABLE[name].flag, value)]
    targets = [TABLE["target"].flag, ",".join(card.targets)]
    return shlex.join(["geak", "batch", card.dataset, "--out", str(folder), *chosen, *targets, *given])


def _show(opening: BatchOpening, *, json: bool) -> None:
    if json:
        most = {"usd": opening.most.usd, "tokens": opening.most.tokens}
        document({"card": opening.card, "kernels": opening.kernels, "begun": opening.begun, "most": most})
        return
    say("\n".join(first_lines(opening)[:-1]))
    for task in opening.card.tasks[opening.shard.number - 1 :: opening.shard.of]:
        say(flat("  ".join(part for part in (task.name, task.category, task.title) if part)))
