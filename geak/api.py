"""GEAK in Python: the same as the command line, with typed results; each function has a twin for async code."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from geak.errors import UsageError
from geak.journal.store import EVENTS
from geak.named import (
    again,
    batch_settings,
    given_kernel,
    kernel_file,
    less,
    path_of,
    run_folder,
    settings_for,
    settings_of,
    text_of,
    tier_of,
)
from geak.preview import Preview
from geak.record import Opening, Watch
from geak.record import Run as Run
from geak.record import load_run as load_run
from geak.runs import Result as Result
from geak.runs import Stopper as Stopper
from geak.settings import DEFAULT_TARGETS, ROLES, Settings
from geak.sources import changed
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.tuning import Tuning
from geak_evaluator.schema.verdict import Policy, Tier, Verdict

if TYPE_CHECKING:
    from geak.batch.choosing import Dataset
    from geak.batch.planning import BatchOpening, Wanted
    from geak.batch.running import BatchResult as BatchResult
    from geak.batch.running import What
    from geak.workplace import Workplace

_P = ParamSpec("_P")
_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])
Agree = Callable[[Opening], None]
"""Is told what a run may spend before it does, and raises to prevent it."""
_HERE = ("judge", "executor", "address", "gpu_ids", "allow_weak_sandbox")
"""What of a run is of this machine and this sitting."""
Review = Callable[[Path, Findings], bool]
"""Is shown a spec that a model drafted, and says whether a person confirms it."""


def _in_a_thread(function: Callable[_P, _T]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Its twin for async code, with the same signature."""

    @wraps(function)
    async def twin(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.to_thread(function, *args, **kwargs)

    return _named(twin, f"{function.__name__}_async")


def _waited_for(function: Callable[_P, Coroutine[Any, Any, _T]]) -> Callable[_P, _T]:
    """Its twin for code that is not async, with the same signature."""

    @wraps(function)
    def twin(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return asyncio.run(function(*args, **kwargs))

    return _named(twin, function.__name__.removesuffix("_async"))


def _named(function: _F, name: str) -> _F:
    function.__name__ = function.__qualname__ = name
    return function


async def generate_async(
    spec: str | Path | None = None,
    *,
    from_text: str = "",
    settings: Settings | None = None,
    out: str | Path | None = None,
    watch: Watch | None = None,
    stopper: Stopper | None = None,
    agree: Agree = lambda opening: None,
    review: Review = lambda path, findings: False,
    **options: Any,
) -> Result:
    """The best kernel for a spec, or for words that a model makes a spec of; `options` are settings by name."""
    from geak import from_words
    from geak.formats import registry
    from geak.formats.base import Scale
    from geak.preview import brief_without_spec, rehearse
    from geak.runs import begin, new_folder, opening_of_words
    from geak.tasks import SPEC
    from geak.workplace import workplace

    if (spec is None) == (not from_text):
        raise UsageError("name a spec, or say in words what the kernel is to compute: one of the two")
    chosen, folder = settings_of(settings, options), run_folder(out)
    name = registry.spec_name(str(spec)) if spec is not None else ""
    folder = folder or new_folder(chosen, name or "from-words")
    async with workplace(chosen, *ROLES, *(() if name else ("drafter",)), folder=folder) as place:
        if name:
            task = await registry.prepared(str(spec), folder / SPEC, place.judges, Scale(chosen.elements))
        else:
            await rehearse(brief_without_spec(chosen))
            agree(opening_of_words(from_text, place, folder))
            task = await from_words.draft(from_text, place, folder, watch=watch, review=review)
            place = replace(place, settings=less(place.settings, load_run(folder / SPEC).population.account))
        return await begin(task, place, out=folder, watch=watch, stopper=stopper, agree=agree)


async def optimize_async(
    kernel: str | Path,
    *,
    spec: str | Path | None = None,
    reference: str | None = None,
    test: str = "",
    settings: Settings | None = None,
    out: str | Path | None = None,
    watch: Watch | None = None,
    stopper: Stopper | None = None,
    agree: Agree = lambda opening: None,
    **options: Any,
) -> Result:
    """A kernel that is better than this one (FILE or FILE:FUNCTION), which is judged first."""
    from geak.runs import begin, new_folder
    from geak.tasks import SPEC
    from geak.tasks import place as parts
    from geak.workplace import workplace

    chosen = settings_of(settings, options)
    folder = run_folder(out) or new_folder(chosen, parts(str(kernel))[0].stem)
    if (folder / EVENTS).is_file() and not (spec or reference or test):  # another candidate for a run that is there
        spec = load_run(folder).population.conditions.spec_path
    given = given_kernel(str(kernel), folder / SPEC, text_of(spec), reference, test)
    async with workplace(chosen, folder=folder) as place:
        task = await given(place)
        return await begin(task, place, out=folder, watch=watch, stopper=stopper, agree=agree)


async def preview_async(
    spec: str | Path | None = None,
    *,
    from_text: str = "",
    kernel: str | Path | None = None,
    reference: str | None = None,
    test: str = "",
    settings: Settings | None = None,
    out: str | Path | None = None,
    **options: Any,
) -> Preview:
    """What `generate` (or, with a kernel, `optimize`) would say and spend; nobody is asked, and nothing is written."""
    from geak.formats import registry
    from geak.formats.base import Scale
    from geak.preview import without_keys
    from geak.runs import preview, preview_of_words
    from geak.workplace import workplace

    chosen, folder = without_keys(settings_of(settings, options)), run_folder(out)
    with tempfile.TemporaryDirectory() as drafts:
        if kernel is not None:
            given = given_kernel(str(kernel), Path(drafts), text_of(spec), reference, test)
        elif spec is not None:
            registry.spec_name(str(spec))  # what cannot be meant is said before anything starts
            async with workplace(chosen) as place:
                task = await registry.prepared(str(spec), Path(drafts), place.judges, Scale(chosen.elements))
                return await preview(task, place, folder)
        else:
            async with workplace(chosen, "drafter") as place:
                return await preview_of_words(from_text, place, folder)
        async with workplace(chosen) as place:
            return await preview(replace(await given(place), kept=False), place, folder)


async def resume_async(
    run: str | Path,
    *,
    settings: Settings | None = None,
    watch: Watch | None = None,
    stopper: Stopper | None = None,
    agree: Agree = lambda opening: None,
    **options: Any,
) -> Result:
    """Goes on with a run where it was left; its caps, `rounds`, `goal` and `judge` may change."""
    from geak.runs import resume
    from geak.workplace import workplace

    before = load_run(run).population.conditions
    here = {name: options.pop(name) for name in _HERE if name in options}
    asked = again(before, options)
    chosen = settings_of(settings, here)
    names: dict[str, object] = {f"{r}_model": m.model for r, m in before.models.items() if r != "seeder"}
    names |= {"seed": "inductor"} if "seeder" in before.models else {}
    names |= {"target": before.targets, "samples": before.samples, "judge": chosen.judge or before.judge}
    chosen = changed(chosen, names)
    async with workplace(chosen, folder=Path(run)) as place:
        return await resume(Path(run), asked, place, watch=watch, stopper=stopper, agree=agree)


async def batch_async(
    dataset: str | Path,
    *,
    settings: Settings | None = None,
    out: str | Path | None = None,
    watch: Callable[[What], None] = lambda what: None,
    stopper: Stopper | None = None,
    agree: Callable[[BatchOpening], None] = lambda opening: None,
    **options: Any,
) -> BatchResult:
    """Kernels for a whole dataset under one budget: `options` are those of `geak.batch.planning.Choice`, and settings.

    Caps among them are for all kernels together.
    """
    from geak.batch.planning import carry_out
    from geak.metrics.summary import write_summary

    wanted, chosen = _choice(options), batch_settings(settings, options)
    tasks, folder = _dataset(dataset, chosen, out)
    async with _batch_place(chosen, wanted) as place:
        result = await carry_out(tasks, place, folder, wanted, watch=watch, stopper=stopper or Stopper(), agree=agree)
    write_summary(result.folder, reason=result.reason, message=result.message, counts=result.counts)
    return result


async def preview_batch_async(
    dataset: str | Path, *, settings: Settings | None = None, out: str | Path | None = None, **options: Any
) -> BatchOpening:
    """What `batch` would do and may spend, of the same options; nobody is asked, and nothing is written."""
    from geak.batch.planning import prepare
    from geak.preview import without_keys

    wanted, chosen = _choice(options), without_keys(batch_settings(settings, options))
    tasks, folder = _dataset(dataset, chosen, out)
    async with _batch_place(chosen, wanted) as place:
        return prepare(tasks, place, folder, wanted)[1]


def evaluate(
    spec: str | Path,
    kernel: str | Path,
    *,
    target: str | Sequence[str] = (),
    tier: Tier | str = Tier.FULL,
    policy: Policy | str | None = None,
    elements: int | None = None,
    judge: str | list[str] | None = None,
) -> Verdict:
    """The verdict on one kernel file; what is not named here is as the settings have it, as for `geak eval`."""
    from geak.formats.base import Scale
    from geak.formats.registry import at_hand
    from geak.judge import Judge

    chosen, tier, file = settings_for(target, policy, elements), tier_of(tier), kernel_file(kernel)
    judge = judge or chosen.judge_command()
    with at_hand(str(spec), judge, Scale(chosen.elements)) as task, Judge(judge) as room:
        targets = chosen.target or room.hello.present or DEFAULT_TARGETS
        return room.evaluate(task.spec, file, targets=targets, tier=tier, policy=chosen.policy or task.policy)


def tune(
    spec: str | Path,
    kernel: str | Path,
    *,
    target: str | Sequence[str] = (),
    policy: Policy | str | None = None,
    evaluations: int = 64,
    minutes: float = 2.0,
    table: str | Path | None = None,
    by: str = "",
    elements: int | None = None,
    judge: str | list[str] | None = None,
) -> Tuning:
    """The configurations of one kernel file, tried and put in order; `table` is a JSON file to begin from.

    With `by`, an axis of the spec, its rows are for that axis's sizes, and each is settled at its own on a GPU.
    What is not named here is as the settings have it, as for `geak tune`.
    """
    from geak.files import text
    from geak.formats.base import Scale
    from geak.formats.registry import at_hand
    from geak.judge import Judge

    if evaluations < 1 or not minutes > 0:
        raise UsageError("a tuner needs an evaluation at least and some time: evaluations from 1, minutes above 0")
    chosen, file = settings_for(target, policy, elements), kernel_file(kernel)
    judge = judge or chosen.judge_command()
    rows = text(Path(table)) if table is not None else ""
    with at_hand(str(spec), judge, Scale(chosen.elements)) as task, Judge(judge) as room:
        return room.tune(
            task.spec,
            file,
            targets=chosen.target or room.hello.present or DEFAULT_TARGETS,
            policy=chosen.policy or task.policy,
            evaluations=evaluations,
            minutes=minutes,
            table=rows,
            axis=by,
        )


evaluate_async = _in_a_thread(evaluate)
tune_async = _in_a_thread(tune)
generate = _waited_for(generate_async)
optimize = _waited_for(optimize_async)
batch = _waited_for(batch_async)
resume = _waited_for(resume_async)


def _choice(options: dict[str, Any]) -> Wanted:
    """Takes out of the options what is no setting."""
    from geak.batch.planning import Choice

    return Choice(**{one.name: options.pop(one.name) for one in fields(Choice) if one.name in options}).wanted()


def _dataset(name: str | Path, chosen: Settings, out: str | Path | None) -> tuple[Dataset, Path]:
    """What is to be run, and the folder for it."""
    from geak.batch.choosing import open_dataset
    from geak.formats.base import Scale
    from geak.runs import new_folder

    found = open_dataset(str(name), Scale(chosen.elements))
    return found, path_of(out) or new_folder(chosen, found.name)


def _batch_place(settings: Settings, wanted: Wanted) -> AbstractAsyncContextManager[Workplace]:
    from geak.workplace import workplace

    return workplace(settings, runs=wanted.jobs or 64)


def __getattr__(name: str) -> Any:
    if name == "BatchResult":  # loaded only for those who batch
        from geak.batch.running import BatchResult

        return BatchResult
    raise AttributeError(f"module 'geak.api' has no attribute {name!r}")
