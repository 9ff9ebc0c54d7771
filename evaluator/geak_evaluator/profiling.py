"""What is known of how one kernel runs one case: counters where there is a device, figures and an estimate anyway."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from geak_evaluator import source
from geak_evaluator.estimate.model import estimate
from geak_evaluator.judge import Judge
from geak_evaluator.measure import devices, planfile
from geak_evaluator.measure.fitness import fault
from geak_evaluator.measure.lease import Busy, Unfit, lease_any, suspect
from geak_evaluator.measure.planfile import PlanFile, Replayer
from geak_evaluator.measure.profile.taking import SECONDS, TIMES, Choice, Taken, take
from geak_evaluator.measure.profile.tool import Unavailable, run, sentence
from geak_evaluator.oracle import SpecFile, SpecProblem, TooBig
from geak_evaluator.schema import codec, domain
from geak_evaluator.schema.device import Gpu
from geak_evaluator.schema.energy import Energy
from geak_evaluator.schema.machine_code import Figures
from geak_evaluator.schema.profile import Profile
from geak_evaluator.schema.spec import Case, Spec
from geak_evaluator.schema.target import find
from geak_evaluator.schema.verdict import Policy, Status, Tier, Verdict
from geak_evaluator.tracing import Traced, Untraced

_ENERGY_S = 2.0
"""How long energy is measured at the least."""
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
    policy: Policy = Policy.PURE,
    gpus: Sequence[Gpu] | None = None,
    taking: Taking = take,
    device: str = "torch",
    energy: bool = True,
) -> Profile:
    """Everything that can be known here of one case, each part with the word of where it comes from."""
    present = devices.visible(devices.gpus() if gpus is None else gpus)
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
        values = {traced.slots.index(slot): data for slot, data in traced.steering}
        try:
            with _leased(about, kernel, values, fit, device) as (gpu, replay):
                launched = [work for work, _ in zip(works, traced.plan.launches, strict=False)]
                taken = taking(replay, launched, vendor=gpu.vendor, target=name, product=gpu.name, choice=choice)
                known = replace(known, launches=taken.launches, tools=taken.tools)
                if taken.lost:
                    suspect(gpu, taken.lost)
                elif energy:
                    known = _with_energy(known, replay)
        except (Busy, Unfit) as error:
            return replace(known, trouble=str(error))
    if not known.measured:
        why = "; ".join(f"{report.tool}: {report.trouble}" for report in known.tools if report.trouble)
        return replace(known, trouble=why or "no profiler counted anything", launches=())
    return replace(known, device=gpu.name or gpu.arch, uuid=gpu.uuid, repeats=TIMES)


@contextlib.contextmanager
def _leased(
    about: PlanFile, kernel: bytes, values: Mapping[int, bytes], fit: Sequence[Gpu], device: str
) -> Iterator[tuple[Gpu, Replayer]]:
    """A device for us alone, and the plan on disk, ready to be replayed on it."""
    with tempfile.TemporaryDirectory(prefix="geak-plan-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        whole = planfile.write(folder, about, kernel, values)
        with lease_any(fit, wait_s=_WAIT_S, test=fault) as gpu:
            yield gpu, Replayer(folder, whole, devices.alone(gpu, planfile.environment(folder)), device)


def _with_energy(known: Profile, replay: Replayer) -> Profile:
    """Joules of a call, by a run of its own: a profiler draws power as well."""
    with tempfile.TemporaryDirectory(prefix="geak-energy-", ignore_cleanup_errors=True) as place:
        try:
            ran = run(replay.command(1, seconds=_ENERGY_S), Path(place), replay.environment, SECONDS)
        except Unavailable as error:
            return replace(known, notes=(*known.notes, f"energy is not known: {error}"))
    if ran.code:
        return replace(known, notes=(*known.notes, f"energy is not known: {sentence(ran, 'its replay')}"))
    try:
        found = codec.from_json(Energy, codec.loads(ran.out.strip().splitlines()[-1]))
    except (codec.WireError, IndexError):
        return replace(known, notes=(*known.notes, "energy is not known: its replay did not keep to the protocol"))
    return replace(known, energy=found)


def counted(judge: Judge, file: SpecFile, kernel: bytes, verdict: Verdict, policy: Policy) -> Verdict:
    """A verdict with what a device counts of its first timed case, where one is there and the kernel was accepted."""
    worth = verdict.status is Status.ACCEPTED and verdict.tier is Tier.FULL and verdict.oracle != "tests"
    if not worth or lacking(devices.visible(devices.gpus()), verdict.target):
        return verdict
    found = profile(judge, file, kernel, target=verdict.target, policy=policy, energy=False)  # which the clock measures
    return replace(verdict, counters=found.launches)


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
