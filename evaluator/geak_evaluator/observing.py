"""What a foreign file's test does with the file's entries, seen in a confined child."""

from __future__ import annotations

from dataclasses import replace

from geak_evaluator.candidate import Candidate
from geak_evaluator.judge import Judge
from geak_evaluator.measuring import MOST_CONFIGURATIONS
from geak_evaluator.oracle import SpecFile
from geak_evaluator.outcome import Ran
from geak_evaluator.recording.seen import CannotPass, sketch
from geak_evaluator.replies import FAULTS, read
from geak_evaluator.sandbox.child import Fault
from geak_evaluator.sandbox.policy import GIB, MIB, Limits
from geak_evaluator.schema.observed import Entry, Observed, Trials, Tried
from geak_evaluator.schema.spec import Case
from geak_evaluator.schema.target import find
from geak_evaluator.schema.verdict import Cause, Policy, Tier

_ROLE = "geak_evaluator.children.observe"
SECONDS = 20.0
"""Of processor time, for the test and for the timed inputs each; what was seen until then is kept."""
_DRAWS = 4
"""A reference must have an answer for so many draws of its inputs: a random matrix may be invertible by luck."""
_LIMITS = Limits(wall_s=180.0, cpu_s=60, memory=6 * GIB, log_bytes=16 * MIB, reply_bytes=16 * MIB)


def observe(
    judge: Judge,
    file: SpecFile,
    *,
    test: str,
    timed: str = "",
    watch: tuple[str, ...] = (),
    project: str = "",
    target: str = "gfx942",
) -> Observed:
    """The calls of the entries `watch` of a kernel file, while `test` runs in its namespace."""
    job = {
        "name": file.name,
        "test": test,
        "timed": timed,
        "watch": list(watch),
        "project": project,
        "target": find(target).name,
        "seconds": SECONDS,
    }
    with judge.box.spawn(_ROLE, job, limits=_LIMITS, read=(project,) if project else ()) as child:
        reply = child.ask(file.data)
    found = read(Observed, reply) if reply.ok else None
    if found is None:
        return Observed(trouble=f"its test could not be watched: {FAULTS[reply.fault or Fault.PROTOCOL]}")
    return _sketched(found)


def _sketched(found: Observed) -> Observed:
    entries: list[Entry] = []
    trouble = found.trouble
    for entry in found.entries:
        try:
            entries.append(replace(entry, sketch=sketch(entry)))
        except CannotPass as error:
            entries.append(entry)
            trouble = f"{entry.name}: {error}"  # sooner than what its own code made of it
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            # The child's word is foreign: a call that cannot be read costs its entry alone.
            entries.append(entry)
            trouble = trouble or f"{entry.name}: its calls cannot be read ({type(error).__name__}: {error})"
    return replace(found, entries=tuple(entries), trouble=trouble)


def tried(
    judge: Judge,
    file: SpecFile,
    kernel: bytes,
    *,
    target: str = "gfx942",
    policy: Policy = Policy.OPEN,
    tier: Tier = Tier.GATE,
) -> Trials:
    """Every case of a spec on its own: whether the kernel is right there; without one, whether there is a truth.

    In the full tier the first case that it is right at is run with others of an autotuned kernel's configurations too.
    """
    from geak_evaluator.oracle import SpecProblem, TooBig
    from geak_evaluator.schema import domain

    results = []
    with judge.oracle(file) as oracle:
        spec = oracle.about.spec
        candidate = judge.candidate(oracle, kernel, find(target).name, policy) if kernel else None
        for case in domain.expand(spec, spec.cases):
            try:
                if candidate is None:
                    for _ in range(_DRAWS):
                        oracle.case(case, find(target).name)
                    results.append(Tried(dict(case.sizes)))
                    continue
                ran = candidate.run(case)
                if tier is Tier.FULL and ran.result.cause is None and all(one.cause for one in results):
                    ran = _with_others(candidate, case, ran)
                cause, message = ran.result.cause, ran.result.message
                if cause is None and ran.captured is not None and not ran.captured.plan.launches:
                    cause, message = Cause.NO_KERNEL, "no Triton kernel is launched at this size"
                results.append(Tried(dict(case.sizes), cause.value if cause else "", message, ran.result.changed))
            except TooBig as error:
                results.append(Tried(dict(case.sizes), "too_big_here", str(error)))
            except SpecProblem as error:
                results.append(Tried(dict(case.sizes), "original", str(error)))
    return Trials(tuple(results))


def _with_others(candidate: Candidate, case: Case, first: Ran) -> Ran:
    """A case as the first of a few configurations fares that strays or is wrong there: tiles may want a larger size."""
    names = first.captured.configurations if first.captured is not None else ()
    for number in range(1, min(len(names), MOST_CONFIGURATIONS)):
        ran = candidate.run(case, configuration=number)
        if ran.result.cause in (Cause.OUT_OF_BOUNDS, Cause.WRONG_VALUES, Cause.RACE):
            return replace(ran, result=replace(ran.result, message=f"{ran.result.message} [{names[number]}]"))
    return first
