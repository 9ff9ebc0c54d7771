"""Trajectories for training: what a model was asked, what it answered, and what the judge made of it.

The reward of a kernel (docs/report.md says why):

    0                        no kernel in the answer, or one that neither Python, Triton nor the compiler takes
    0.1                      it compiles
    0.2 + 0.3 x agreed       it runs to its end; `agreed` is the share of the spec's cases that it was right on
    0.5                      right on all that the spec shows, and wrong on a hidden case or in the final tier
    1                        accepted, without a time
    1 + log2(speedup) / 2    accepted and measured, against the hardest baseline; within 0.75 and 2
    null                     undecided, or not judged: neither right nor wrong
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geak.batch.card import CARD, kernel_folders, read_card
from geak.errors import MachineError, RunError, UsageError
from geak.hiding import without
from geak.journal.events import Announced, Received
from geak.metrics.outcome import reached, why
from geak.metrics.speed import speed_of
from geak.population import Candidate
from geak.record import Run, load_run
from geak_evaluator.schema.verdict import Status

_FENCED = re.compile(r"^(`{3,}).*?^\1`*[ \t]*$", re.M | re.S)
_LETTERS = 4
"""Characters of a token, about, where a provider does not count its thought."""


@dataclass(frozen=True)
class Trace:
    """One answer of a model: the last one that a candidate was made from carries its reward."""

    run: str
    task: str
    repeat: int
    candidate: str
    move: str
    parents: tuple[str, ...]
    round: int
    role: str
    model: str
    messages: tuple[dict[str, str], ...]
    """The prompt: a role and a content each."""
    reply: str
    thought: int
    """Tokens of reasoning: the provider's count, or about as many as the answer has outside its code."""
    thought_counted: bool
    tokens_in: int
    tokens_out: int
    usd: float | None
    source: str
    """The kernel that was made of it; empty where none was."""
    status: str
    """`accepted`, `rejected`, `undecided`, or `none`."""
    cause: str
    tier: str
    verdict: str
    """In its one line."""
    speedup: float | None
    """Measured, against the hardest baseline; null without a measurement."""
    reward: float | None
    policy: str
    targets: tuple[str, ...]


def traces(folder: Path, roles: Sequence[str] = ("generator",), secrets: Iterable[str] = ()) -> Iterator[Trace]:
    """The trajectories of a run, or of every run of a dataset run, in their order."""
    hidden = tuple(secrets)
    if not (folder / CARD).is_file():
        run = load_run(folder)
        yield from _of_run(run, run.population.conditions.spec, 1, roles, hidden)
        return
    for task, repeat, place in kernel_folders(folder, read_card(folder)):
        yield from _of_run(load_run(place), task.name, repeat, roles, hidden)


def reward(candidate: Candidate) -> float | None:
    """What a candidate is worth, by the formula above."""
    verdict, final = candidate.verdict, candidate.final
    if verdict is None:
        return None if candidate.source else 0.0
    if Status.UNDECIDED in (verdict.status, final.status if final is not None else None):
        return None
    if candidate.accepted:
        speed = _speedup(candidate)
        return 1.0 if speed is None else min(max(1 + math.log2(speed) / 2, 0.75), 2.0)
    if verdict.status is Status.ACCEPTED:
        return 0.5
    compiled, called = reached(verdict)
    if not compiled:
        return 0.0
    if not called:
        return 0.1
    shown = [c for c in verdict.cases if not c.hidden]
    agreed = sum(c.cause is None for c in shown) / max(verdict.asked, len(shown), 1)
    return 0.5 if all(c.cause is None for c in shown) else round(0.2 + 0.3 * agreed, 4)


def concise(found: Iterable[Trace], share: float) -> list[Trace]:
    """Of each task's accepted answers this share, those with the least thought; where some were timed, only those that
    are at least as fast as the middle one.

    Short reasoning that led to good kernels trains better than long, as ConCuR found.
    """
    by_task: dict[str, list[Trace]] = {}
    for one in found:
        if one.status == "accepted" and one.reward is not None and one.reward > 0.5:
            by_task.setdefault(one.task, []).append(one)
    kept = []
    for members in by_task.values():
        times = [one.speedup for one in members if one.speedup is not None]
        fast = [one for one in members if one.speedup is not None and one.speedup >= statistics.median(times)]
        ranked = sorted(fast or members, key=lambda one: one.thought)
        kept += ranked[: max(1, math.ceil(share * len(ranked)))]
    return kept


def lines(found: Iterable[Trace]) -> Iterator[str]:
    """JSON, one line a trajectory."""
    for one in found:
        yield json.dumps(vars(one), ensure_ascii=True, allow_nan=False)


def write_parquet(found: Sequence[Trace], file: Path) -> None:
    """A Parquet file; MachineError where pyarrow is not installed."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MachineError(
            f"{file} cannot be written: Parquet needs pyarrow; pip install 'geak[parquet]', or write .jsonl"
        ) from None
    text, whole, number, texts = pyarrow.string(), pyarrow.int64(), pyarrow.float64(), pyarrow.list_(pyarrow.string())
    said = pyarrow.list_(pyarrow.struct([("role", text), ("content", text)]))
    kinds: dict[str, Any] = {"str": text, "int": whole, "bool": pyarrow.bool_(), "float | None": number}
    kinds |= {"tuple[str, ...]": texts, "tuple[dict[str, str], ...]": said}
    schema = pyarrow.schema([(name, kinds[str(kind)]) for name, kind in Trace.__annotations__.items()])
    rows = [json.loads(line) for line in lines(found)]
    try:
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), file)
    except OSError as error:
        raise MachineError(f"{file} cannot be written: {str(error).lower()}") from None


def _of_run(run: Run, task: str, repeat: int, roles: Sequence[str], secrets: tuple[str, ...]) -> Iterator[Trace]:
    announced = {e.event.call: e.event for e in run.entries if isinstance(e.event, Announced)}
    answers = [e.event for e in run.entries if isinstance(e.event, Received)]
    last: dict[tuple[str, str], int] = {}
    for answer in answers:
        call = announced[answer.call]
        last[call.candidate, call.role] = answer.call
    for answer in answers:
        call = announced[answer.call]
        if call.role not in roles:
            continue
        candidate = run.population.candidates[call.candidate]
        used = last[call.candidate, call.role] == answer.call
        yield _trace(run, task, repeat, call, answer, candidate, used, secrets)


def _trace(
    run: Run,
    task: str,
    repeat: int,
    call: Announced,
    answer: Received,
    candidate: Candidate,
    used: bool,
    secrets: tuple[str, ...],
) -> Trace:
    verdict = candidate.final if candidate.final is not None and not candidate.accepted else candidate.verdict
    verdict = verdict if used else None
    usage, asked = answer.usage, run.population.conditions

    def clean(text: str) -> str:
        return without(text, secrets).encode("utf-8", "replace").decode()

    reply = clean(_text(run, answer.reply))
    outside = len(_FENCED.sub("", reply)) // _LETTERS
    return Trace(
        run=run.population.run,
        task=task,
        repeat=repeat,
        candidate=candidate.name,
        move=candidate.move.kind,
        parents=candidate.move.parents,
        round=candidate.move.round,
        role=call.role,
        model=clean(answer.model or call.model),
        messages=tuple({"role": who, "content": clean(text)} for who, text in _messages(_text(run, call.prompt))),
        reply=reply,
        thought=usage.reasoning or outside,
        thought_counted=bool(usage.reasoning),
        tokens_in=usage.total - usage.output,
        tokens_out=usage.output,
        usd=answer.usd,
        source=clean(_text(run, candidate.source)) if used and candidate.source else "",
        status="none" if verdict is None else verdict.status.value,
        cause="unusable" if not used else "" if verdict is None else why(verdict),
        tier="" if verdict is None else verdict.tier.value,
        verdict="" if verdict is None else clean(verdict.line()),
        speedup=_speedup(candidate) if used and candidate.accepted else None,
        reward=reward(candidate) if used else 0.0,
        policy=asked.policy.value,
        targets=asked.targets,
    )


def _speedup(candidate: Candidate) -> float | None:
    speed = speed_of(candidate.timings)
    return min(speed.ratios.values()) if speed is not None and speed.ratios else None


def _text(run: Run, blob: str) -> str:
    try:
        return run.text(blob)
    except RunError as error:
        raise UsageError(f"{error}; its trajectories would not be whole") from None


def _messages(text: str) -> list[tuple[str, str]]:
    return [(str(one["speaker"]), str(one["text"])) for one in json.loads(text)]
