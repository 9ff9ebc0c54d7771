"""What is known of how one kernel runs one case: counters where there is a device, figures and an estimate anyway."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from geak_evaluator import source
from geak_evaluator.candidate import Traced, Untraced
from geak_evaluator.estimate.model import estimate
from geak_evaluator.judge import Judge
from geak_evaluator.measure import devices, planfile
from geak_evaluator.measure.lease import Busy, Unfit, lease_any
from geak_evaluator.measure.planfile import PlanFile, Replayer
from geak_evaluator.measure.profile.taking import TIMES, Choice, Taken, take
from geak_evaluator.oracle import SpecFile, SpecProblem, TooBig
from geak_evaluator.schema import domain
from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.estimate import Work
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.profile import Profile
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.schema.target import find
from geak_evaluator.schema.verdict import Policy, Status, Tier, Verdict

_WAIT_S = 600.0
"""How long a device that is another's is waited for."""
Taking = Callable[..., Taken]


class NoSuchCase(ValueError):
    """A case that the spec does not have; the message lists those that it has."""


def profile(
    judge: Judge,
    file: SpecFile,
    kernel: bytes,
    *,
    target: str = "",
    case: str = "",
    choice: Choice = "auto",
    gpu_ids: str = "",
    policy: Policy = Policy.PURE,
    gpus: Sequence[Gpu] | None = None,
    taking: Taking = take,
    device: str = "torch",
) -> Profile:
    """Everything that can be known here of one case, each part with the word of where it comes from."""
    present = devices.visible(devices.gpus() if gpus is None else gpus, ids=gpu_ids)
    name = find(target).name if target else next((gpu.target for gpu in present if gpu.target), "gfx942")
    with judge.oracle(file) as oracle:
        chosen = _case(oracle.about.spec, case)
        known = Profile(file.name, chosen, name)
        try:
            source.check(kernel, "the kernel file", "a kernel")
            traced = judge.candidate(oracle, kernel, name, policy).trace(chosen, (), ())
        except (TooBig, Untraced, SpecProblem, source.SourceError) as error:
            return replace(known, trouble=f"its plan is not known: {error}")
        works = traced.replayed.works
        figures = _figures(judge, traced, name)
        known = replace(
            known,
            figures=figures,
            estimate=estimate(name, chosen, traced.plan, works, figures),
            notes=("an autotuned kernel's first configuration",) if traced.configurations else (),
        )
        about = PlanFile(name, traced.plan, traced.slots, traced.destination, project=oracle.file.project(oracle.about))
        known = replace(known, plan=about.fingerprint)
        if why := lacking(present, name):
            return replace(known, trouble=why)
        if not traced.plan.launches:
            return replace(known, trouble="its plan launches no kernel")
        fit = [gpu for gpu in present if gpu.target == name and gpu.usable]
        return _measured(known, about, kernel, traced, fit, choice, taking, device)


def _measured(
    known: Profile,
    about: PlanFile,
    kernel: bytes,
    traced: Traced,
    fit: Sequence[Gpu],
    choice: Choice,
    taking: Taking,
    device: str,
) -> Profile:
    from geak_evaluator.measure.fitness import fault

    values = {traced.slots.index(slot): data for slot, data in traced.steering}
    with tempfile.TemporaryDirectory(prefix="geak-plan-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        about = planfile.write(folder, about, kernel, values)
        try:
            with lease_any(fit, wait_s=_WAIT_S, test=fault) as gpu:
                environment = devices.alone(gpu, planfile.environment(folder))
                replay = Replayer(folder, about, environment, device)
                works = _of_launches(traced)
                taken = taking(replay, works, vendor=gpu.vendor, target=known.target, choice=choice)
        except (Busy, Unfit) as error:
            return replace(known, trouble=str(error))
    found = replace(known, launches=taken.launches, tools=taken.tools)
    if not found.measured:
        why = "; ".join(f"{report.tool}: {report.trouble}" for report in taken.tools if report.trouble)
        return replace(found, trouble=why or "no profiler counted anything", launches=())
    return replace(found, device=gpu.name or gpu.arch, uuid=gpu.uuid, repeats=TIMES)


def counted(judge: Judge, file: SpecFile, kernel: bytes, verdict: Verdict, policy: Policy) -> Verdict:
    """A verdict with what a device counts of its first timed case, where one is there and the kernel was accepted."""
    worth = verdict.status is Status.ACCEPTED and verdict.tier is Tier.FULL and verdict.oracle != "tests"
    if not worth or lacking(devices.visible(devices.gpus()), verdict.target):
        return verdict
    return replace(verdict, counters=profile(judge, file, kernel, target=verdict.target, policy=policy).launches)


def lacking(present: Sequence[Gpu], target: str) -> str:
    """Why nothing can be measured for a target here; nothing where it can."""
    if not present:
        hidden = next((name for name in devices.VARIABLES if name in os.environ), "")
        return f"there is no GPU here{f' that {hidden} leaves' if hidden and devices.gpus() else ''}"
    of_target = [gpu for gpu in present if gpu.target == target]
    if not of_target:
        there = ", ".join(dict.fromkeys(f"{gpu.name} ({gpu.arch or 'unknown'})" for gpu in present))
        return f"the GPU here is {there}, and {target} was asked for: figures of another architecture are none of it"
    if not any(gpu.usable for gpu in of_target):
        return f"this user cannot open {' and '.join(of_target[0].nodes)}: docs/rocm.md says which groups own them"
    return ""


def _of_launches(traced: Traced) -> list[Work]:
    return [work for work, _ in zip(traced.replayed.works, traced.plan.launches, strict=False)]


def _figures(judge: Judge, traced: Traced, target: str) -> tuple[Figures, ...]:
    handed = traced.replayed.handed
    own = tuple(one for one in handed.kernels if one.target == target)
    results = judge.compiler(60.0).figures_of(replace(handed, kernels=own))
    return tuple({repr(one.figures): one.figures for one in results if one.figures is not None}.values())


def _case(spec: Spec, text: str) -> Case:
    """The first of the cases that are timed, or the one that is meant: its number, or its sizes as they are printed."""
    timed = domain.expand(spec, spec.bench)
    every = (*timed, *domain.expand(spec, spec.cases))
    if not every:
        raise NoSuchCase("the spec has no case")
    if not text:
        return every[0]
    if text.isdecimal() and int(text) < len(every):
        return every[int(text)]
    wanted = {part.strip().replace(" ", "") for part in text.split(",")}
    for case in every:
        if wanted <= {f"{name}={value}" for name, value in case.sizes.items()}:
            return case
    listed = "; ".join(f"{number}: {case}" for number, case in enumerate(every[:8]))
    raise NoSuchCase(f"--case {text!r}: the spec has no such case; it has {listed}{'; ...' * (len(every) > 8)}")
