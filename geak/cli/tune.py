"""`geak tune`: the configurations of a kernel, tried and put in order, and the best of them in a file of its own."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from geak.cli.display import document, duration, flat, plural, say
from geak.cli.options import AsJson, Flags, Quiet, judge_of, settles
from geak.errors import UsageError
from geak.journal.store import hand_out
from geak.settings import DEFAULT_TARGETS
from geak.sources import load
from geak_evaluator.schema import codec
from geak_evaluator.schema.tuning import MICROSECONDS, RATIO, Configuration, Ranking, Tuning

_SHOWN = 5
_FIGURES = {
    "registers": "registers",
    "shared": "shared",
    "occupancy": "occupancy",
    "load_bits": "load bits",
    "store_bits": "store bits",
    "matrix": "matrix",
    MICROSECONDS: "us",
    RATIO: "times as fast",
}


@settles("target", "policy", "elements", "judge", "gpu_ids", "allow_weak_sandbox")
def tune(
    spec: Annotated[str, typer.Argument(help="A spec: its file, its name or PATH::TASK.")],
    kernel: Annotated[Path, typer.Argument(help="A Python file with the kernel.")],
    evaluations: Annotated[int, typer.Option(min=1, help="How many configurations to try for each target.")] = 64,
    minutes: Annotated[float, typer.Option(help="How long to try.")] = 2.0,
    table: Annotated[
        Path | None,
        typer.Option(help="A JSON table of configurations by size, as serving engines keep them, to begin from."),
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="AXIS", help="Whose sizes the table's rows are for: on a GPU each is settled there.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the tuned file goes. [default: KERNEL.tuned.py beside it]")
    ] = None,
    json: AsJson = False,
    quiet: Quiet = False,
    *,
    flags: Flags,
) -> None:
    """Try a kernel's block sizes and launch options. Exit codes: 0 done, 1 nothing may be picked.

    The tuned file and, beside it, a JSON table of every configuration that was tried are written; the kernel itself
    stays as it is unless --out names it.
    """
    from geak.files import text
    from geak.formats.base import Scale
    from geak.formats.registry import at_hand
    from geak.judge import Judge

    if by and table is None:
        raise UsageError("--by says what the rows of a --table are for, and there is none")
    if not minutes > 0:
        raise UsageError("--minutes must be above 0")
    rows = text(table) if table is not None else ""
    place = out or kernel.with_name(f"{kernel.stem}.tuned.py")
    settings = load(flags).settings
    judge = judge_of(settings)
    with at_hand(spec, judge, Scale(settings.elements)) as task, Judge(judge) as room:
        targets = settings.target or room.hello.present or DEFAULT_TARGETS
        with _waiting(f"tuning {kernel} for {', '.join(targets)}", evaluations, minutes, quiet=quiet):
            found = room.tune(
                task.spec,
                kernel,
                targets=targets,
                policy=settings.policy or task.policy,
                evaluations=evaluations,
                minutes=minutes,
                table=rows,
                axis=by,
            )
    if json:
        document(found)
    else:
        _print(found, kernel)
    for file, content in _files(found, place, table).items():
        hand_out(file, content.encode("utf-8", "surrogateescape"))
        if not json:
            say(f"  wrote {file}")
    if out is not None and not found.source and not json:
        say(f"  {out} is not written: the kernel stays as it is")
    raise typer.Exit(0 if any(one.proved for ranking in found.rankings for one in ranking.configurations) else 1)


def _print(found: Tuning, kernel: Path) -> None:
    if not found.rankings:
        say(f"NOT TUNED {kernel.name}  {flat(found.note)}")
    else:
        word = "TUNED" if found.source else "KEPT"
        say(f"{word} {kernel.name}  {plural(found.tried, 'configuration')} compiled, {_timed(found)}")
        for ranking in found.rankings:
            for line in _table(ranking):
                say(line)
        say(f"  {flat(found.note)}")
    for reason in found.left:
        say(f"  left as it is: {flat(reason)}")


def _timed(found: Tuning) -> str:
    every = [one for ranking in found.rankings for one in ranking.configurations]
    count = sum(MICROSECONDS in one.figures for one in every)
    devices = ", ".join(ranking.device for ranking in found.rankings if ranking.device)
    return f"{count} of them measured on {devices}" if devices else "none measured"


def _table(ranking: Ranking) -> list[str]:
    """The best few of a target with their figures, and how many are out."""
    causes: dict[str, int] = {}
    for one in ranking.configurations:
        if one.cause:
            causes[one.cause] = causes.get(one.cause, 0) + 1
    out = ", ".join(f"{count} {cause.replace('_', ' ')}" for cause, count in causes.items())
    head = f"  {ranking.target}, {ranking.how}: {plural(len(ranking.feasible), 'configuration')} may be picked"
    rows = [_row(one, ranking, number) for number, one in enumerate(ranking.feasible[:_SHOWN], 1)]
    names = [name for name in _FIGURES if any(name in one.figures for one in ranking.feasible)]
    titles = ["", "configuration", *(_FIGURES[name] for name in names), ""]
    lines = [titles, *([*row[:2], *_numbers(one, names), row[2]] for row, one in zip(rows, ranking.feasible))]  # noqa: B905
    widths = [max(len(line[n]) for line in lines) for n in range(len(titles))]
    body = ["    " + "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=True)) for line in lines]
    return [head + (f", out: {out}" if out else ""), *(line.rstrip() for line in (body if rows else ()))]


def _row(one: Configuration, ranking: Ranking, number: int) -> tuple[str, str, str]:
    values = " ".join(f"{name}={value}" for name, value in one.values.items())
    notes = ["proved"] * one.proved + ["as it is"] * (one.values == ranking.present)
    return str(number), values or "(all left to Triton)", ", ".join(notes)


def _numbers(one: Configuration, names: list[str]) -> list[str]:
    return [f"{one.figures[name]:.4g}" if name in one.figures else "-" for name in names]


def _files(found: Tuning, place: Path, table: Path | None) -> dict[Path, str]:
    """What is to be written: the tuned file, the rankings beside it, and each target's copy of the table."""
    texts: dict[Path, str] = {}
    if found.source:
        texts[place] = found.source
    if found.rankings:
        texts[place.with_suffix(".json")] = codec.dumps(found.rankings) + "\n"
    for ranking in found.rankings if table is not None else ():
        assert table is not None
        rows = ",\n".join(f"    {codec.dumps(name)}: {codec.dumps(row)}" for name, row in ranking.table.items())
        texts[place.with_name(f"{table.stem}.{ranking.target}.json")] = f"{{\n{rows}\n}}\n"
    return texts


@contextlib.contextmanager
def _waiting(what: str, evaluations: int, minutes: float, *, quiet: bool) -> Iterator[None]:
    """Says what is going on, and on a terminal how long it has."""
    if quiet:
        yield
        return
    bound = f"at most {plural(evaluations, 'configuration')} for each target and {duration(60 * minutes)}"
    say(f"{what}: {bound}, then the proofs", error=True)
    over = threading.Event()
    begun = time.monotonic()

    def tick() -> None:
        while not over.wait(1):
            print(f"\r{duration(time.monotonic() - begun)} ", end="", file=sys.stderr, flush=True)

    clock = threading.Thread(target=tick, daemon=True)
    if sys.stderr.isatty():
        clock.start()
    try:
        yield
    finally:
        over.set()
        if clock.is_alive():
            clock.join()
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
