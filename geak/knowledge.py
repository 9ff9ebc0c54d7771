"""What a role is told of a target and of a verdict: facts, with the words of where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from geak_evaluator.schema.estimate import Estimate
from geak_evaluator.schema.machine_code import Figures, Limit
from geak_evaluator.schema.profile import Counters, number
from geak_evaluator.schema.spec import Description, leaves
from geak_evaluator.schema.target import TARGETS, Target
from geak_evaluator.schema.timing import State, Timing, speedup
from geak_evaluator.schema.verdict import UNDECIDABLE, CaseResult, Cause, Code, Status, Tier, Verdict

_MOST_FIGURES = 6
_MOST_NOTES = 4
_MOST_PARTS = 4
_MOST_LAUNCHES = 3
_MOST_TIMINGS = 6
_STANDING_NOTE = "races not examined"
_ABOUT_RESOURCES = frozenset({Cause.OUT_OF_RESOURCES, Cause.TIMEOUT})
_HIDDEN = "The sizes are not told: look for what holds at the shown sizes alone, a mask, a tail, a tile that divides"

MEANS: dict[Cause, str] = {
    Cause.NOT_PYTHON: "the file does not parse",
    Cause.TOO_LARGE: "the file is too large",
    Cause.MISSING_ENTRY: "the file does not define the entry under the spec's name",
    Cause.MISSING_MODULE: "only torch, triton and Python's own modules may be imported",
    Cause.COMPILE_ERROR: "Triton or its backend refuses a kernel for that target",
    Cause.OUT_OF_RESOURCES: "one program asks for more shared memory or registers than the target has: smaller tiles, "
    "fewer stages or more warps",
    Cause.OUT_OF_BOUNDS: "a lane that no mask switches off reaches outside of its tensor: compare that offset with the "
    "sizes in the mask",
    Cause.RAISED: "the wrapper raised, before or between launches",
    Cause.WRONG_OUTPUTS: "the number of tensors returned is not what the spec says",
    Cause.WRONG_TYPE: "an output is no plain dense tensor",
    Cause.WRONG_SHAPE: "an output has another shape than the spec says",
    Cause.WRONG_DTYPE: "an output has another type than the spec says: allocate it with the declared type, and cast "
    "before the store",
    Cause.WRONG_DEVICE: "a tensor that a kernel is given, or that is returned, lies on the CPU: make it with "
    "device=x.device",
    Cause.WRONG_STRIDES: "an output's elements share memory, or lie otherwise than the spec says",
    Cause.WRONG_STATE: "parameters and buffers must have the reference's names, shapes and types",
    Cause.NO_GRADIENT: "no gradient reaches an input: wrap the kernels in a torch.autograd.Function",
    Cause.WRONG_VALUES: "the kernel ran, and its values are not the reference's",
    Cause.UNWRITTEN: "elements of an output were never stored: the grid or the mask of the store leaves them out",
    Cause.CHANGED_INPUT: "an input was written that the spec does not let change",
    Cause.NO_KERNEL: "no Triton kernel did any work",
    Cause.FOREIGN_WORK: "torch computed something in the wrapper: move it into a kernel",
    Cause.NOT_PLAIN: "a kernel cannot be taken out of the file on its own",
    Cause.UNSTABLE_PLAN: "what is launched follows the values of the inputs; it may follow sizes and types alone",
    Cause.RACE: "programs rely on the order in which they run; on a device they run at once",
    Cause.PLAN_TOO_LONG: "the wrapper launches or copies far too often, or hands over numbers that a "
    "kernel should compute",
    Cause.TESTS_FAILED: "the project's own tests fail with it",
    Cause.TIMEOUT: "it took too long: a loop that does not end, or far too many small programs",
    Cause.DIED: "the process died",
    Cause.PROTOCOL: "the process said something that is no answer",
    Cause.OUTPUT_FLOOD: "it printed far too much",
    Cause.OUT_OF_MEMORY: "it took more memory than a case may have",
    Cause.TOO_MANY_PROCESSES: "it started processes or threads",
    Cause.DISK_FLOOD: "it wrote files",
    Cause.UNSUPPORTED: "it uses something that cannot be carried out without that device; another way can be judged",
    Cause.TOO_BIG_HERE: "a case is larger than it may be on this machine",
}
"""What each cause comes to, for whoever has to mend it."""


def target_page(target: Target) -> str:
    """The template with what there is to know of a target."""
    return f"targets/{target.name}.md"


def signature(about: Description) -> str:
    """What a kernel file must define, in a line of Python."""
    spec = about.spec
    if spec.oracle == "tests":
        return about.entry
    given = ", ".join(spec.inputs)
    if spec.contract == "module":
        return f"class {about.entry}(torch.nn.Module): __init__(self, {', '.join(spec.init)}), forward(self, {given})"
    if spec.contract == "destination":
        names = [path or "out" for path, _ in leaves(spec.outputs)] if spec.outputs is not None else ["out"]
        given = ", ".join(filter(None, (given, *names)))
    return f"def {about.entry}({given})"


def arguments(about: Description) -> tuple[str, ...]:
    """Inputs and outputs, a line each."""
    spec = about.spec
    outputs = leaves(spec.outputs) if spec.outputs is not None else ()
    init = [f"constructor argument {name}: {scalar}" for name, scalar in spec.init.items()]
    inputs = [f"{name}: {item}" for name, item in spec.inputs.items()]
    return (*init, *inputs, *(f"output{' ' * bool(path)}{path}: {item}" for path, item in outputs))


@dataclass(frozen=True)
class Facts:
    """A verdict as a prompt tells it; its strings hold foreign words, and are quoted where they are shown."""

    headline: str
    """Accepted, rejected or undecided, by what proof."""
    cause: str = ""
    means: str = ""
    where: str = ""
    """The case; of a hidden one its class alone."""
    said: str = ""
    """The judge's and the compiler's words."""
    excerpt: str = ""
    """The lines of the kernel file that they name."""
    log: str = ""
    target: str = ""
    """Which target the figures are of."""
    figures: tuple[str, ...] = ()
    timings: tuple[str, ...] = ()
    """What was measured on the first target, beside each baseline."""
    estimates: tuple[str, ...] = ()
    """What the first target would take for the timed cases, and what for: estimated, never measured."""
    counters: tuple[str, ...] = ()
    """What a device counted, launch by launch: measured, of the very plan of this kernel."""
    refusals: tuple[str, ...] = ()
    """What other targets say."""
    notes: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()


def facts(verdict: Verdict, source: str) -> Facts:
    """What a verdict says that can be acted on: of a failure the first, of the machine code the narrowest."""
    failure, misfit = verdict.failure, verdict.misfit
    known = next((code for code in verdict.code if code.kernels), None)
    told = Facts(
        headline=headline(verdict),
        target=known.target if known else "",
        figures=figures(known) if known else (),
        timings=timings(verdict),
        estimates=tuple(line for one in verdict.estimates if one.target == verdict.target for line in estimated(one)),
        counters=tuple(line for one in _longest(verdict.counters) for line in counted(one)),
        refusals=tuple(_refusal(code) for code in verdict.code if code.cause is not None and code is not misfit),
        notes=_notes(verdict),
        unreached=verdict.unreached,
    )
    if failure is not None and failure.cause is not None and (misfit is None or failure.cause not in UNDECIDABLE):
        return _with_failure(told, failure, failure.cause, verdict, source)
    if misfit is not None and misfit.cause is not None:
        means, where = MEANS[misfit.cause], f"target {misfit.target}"
        return replace(told, cause=misfit.cause.value, means=means, where=where, said=misfit.message)
    return told


def _longest(launches: Sequence[Counters]) -> list[Counters]:
    return sorted(launches, key=lambda one: -(one.value("duration") or 0.0))[:_MOST_LAUNCHES]


def counted(one: Counters) -> Iterator[str]:
    """A launch as a device counted it: its time, its roof, what holds it back, and every metric."""
    roof, took = one.roofline, one.value("duration")
    head = f"launch {one.launch} of {one.kernel}" + (f": {number(took)} us" if took is not None else "")
    if roof is not None:
        head += (
            f"; {roof.intensity:.3g} operations a byte, {roof.of_memory:.0%} of the memory's bandwidth and "
            f"{roof.of_compute:.0%} of the arithmetic reached, under the roof of {roof.bound}"
        )
    yield head
    for bottleneck in one.bottlenecks:
        yield f"  held back by: {bottleneck}"
    yield "  " + ", ".join(f"{metric.name} {number(metric.value)} {metric.unit}" for metric in one.metrics)


def estimated(estimate: Estimate) -> Iterator[str]:
    """An estimate line by line: the whole, then the steps that take longest."""
    yield estimate.brief
    for part in sorted(estimate.parts, key=lambda part: -part.us)[:_MOST_PARTS]:
        line = f"  {part.step}: {part.us:.3g} us, bound by {part.bound}"
        if part.work is not None and part.work.traced:
            read, written = part.work.read, part.work.written
            line += (
                f"; {part.work.programs} programs, reads {_bytes(read.unique)} {read.reuse:.2g} times over (coalescing "
                f"{read.coalescing:.0%}), writes {_bytes(written.unique)} (coalescing {written.coalescing:.0%})"
            )
        yield line


def _bytes(count: float) -> str:
    return f"{count / 1e6:.3g} MB" if count >= 1e5 else f"{count:.0f} bytes"


def _with_failure(told: Facts, failure: CaseResult, cause: Cause, verdict: Verdict, source: str) -> Facts:
    told = replace(told, cause=cause.value, means=MEANS[cause], where=failure.label)
    if cause not in _ABOUT_RESOURCES:  # what is wrong has no use for figures yet
        told = replace(told, figures=())
    if failure.hidden:  # its class is all that returns to whoever writes the next kernel
        return replace(told, means=f"{told.means}. {_HIDDEN}")
    return replace(told, said=failure.message, excerpt=excerpt(source, line_of(failure)), log=verdict.log.strip())


def headline(verdict: Verdict) -> str:
    """The verdict in a line: what was proved, what was compiled, and a speed only where it was measured."""
    by = "by the interpreter" if verdict.how == "interpreter" else f"on {verdict.how}"
    count = f"{len(verdict.cases)} case{'s' * (len(verdict.cases) != 1)}"
    if verdict.status is Status.ACCEPTED:
        hidden = sum(bool(case.hidden) for case in verdict.cases)
        word = "right at the gate" if verdict.tier is Tier.GATE else "proved"
        word = {"peer": "agrees with the original", "tests": "passes the project's tests"}.get(verdict.oracle, word)
        worst = max((case.steps for case in verdict.cases), default=0.0)
        error = f"; worst error {worst:.3g} steps of the output's format"
        compiled = ", ".join(code.target for code in verdict.code if code.kernels)
        more = f" ({hidden} hidden)" if hidden else ""
        fast = speedup(verdict.timings)
        speed = fast.brief if fast is not None else "no speed can be told" if verdict.timings else "not timed"
        return f"accepted: {word} {by} on {count}{more}{error}; compiles for {compiled or 'no target yet'}; {speed}"
    agreed = sum(case.cause is None for case in verdict.cases)
    return f"{verdict.status.value}: {agreed} of {verdict.asked} cases agreed, {by}, before the judge stopped"


def brief(verdict: Verdict | None) -> str:
    """A verdict in half a line, for a list of candidates."""
    if verdict is None:
        return "not judged"
    if verdict.status is Status.ACCEPTED:
        fast = speedup(verdict.timings)
        measured = [fast.brief] if fast is not None else []
        return "; ".join(["accepted", *measured, *(code.brief for code in verdict.code[:1] if code.kernels)])
    failure = verdict.failure
    cause = failure.cause if failure is not None else verdict.misfit.cause if verdict.misfit is not None else None
    return f"{verdict.status.value}: {cause.value.replace('_', ' ') if cause else 'unknown'}"


def timings(verdict: Verdict) -> tuple[str, ...]:
    """Each measurement, the slowest against its baseline first: where there is most to be had."""
    ordered = sorted(verdict.timings, key=lambda one: one.ratio if one.counts else 0.0)
    return tuple(line for one in ordered[:_MOST_TIMINGS] for line in (one.brief, *_of_device(one)))


def _of_device(one: Timing) -> Iterator[str]:
    if one.state is not State.MEASURED:
        return
    read = one.conditions
    parts = [
        f"{one.blocks} blocks of each, in turn, caches cold",
        "launched as a graph" if one.launched == "graph" else "",
        f"configuration {one.configuration}" if one.configuration else "",
        f"clock {read.first_mhz:.0f} to {read.last_mhz:.0f} MHz" if read.first_mhz and read.last_mhz else "",
        f"{read.watts:.0f} W" if read.watts else "",
    ]
    yield "  " + "; ".join(filter(None, parts))


def line_of(failure: CaseResult) -> int:
    """The line of the kernel file that a failure names; 0 where it names none."""
    named = re.search(r"\(line (\d{1,6})\)", failure.message)
    return failure.line or (int(named[1]) if named else 0)


def excerpt(source: str, line: int, reach: int = 2) -> str:
    """A line of a source among its neighbours, numbered."""
    lines = source.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    shown = range(max(line - reach, 1), min(line + reach, len(lines)) + 1)
    return "\n".join(f"{'>' if n == line else ' '}{n:4} | {lines[n - 1]}" for n in shown)


def figures(code: Code) -> tuple[str, ...]:
    """Each kernel as the compiler left it, the narrowest first."""
    limit = TARGETS[code.target].max_shared if code.target in TARGETS else 0
    ordered = sorted(code.kernels, key=lambda f: (not f.spills, f.occupancy / f.occupancy_limit, -f.shared_bytes))
    # Two specialisations that differ in nothing but the type of their matrix instructions are one line.
    lines = tuple({_TYPE.sub("", line): line for line in (_figure(one, limit) for one in reversed(ordered))}.values())[
        ::-1
    ]
    left = len(lines) - _MOST_FIGURES
    return (*lines[:_MOST_FIGURES], *([f"and {left} more specialisations"] if left > 0 else ()))


_TYPE = re.compile(r"[._]b?f(?:16|32)\b")
_LIMITS: dict[Limit, str] = {
    "waves": "nothing of its own",
    "programs": "the number of programs",
    "registers": "registers",
    "scalar_registers": "scalar registers",
    "shared": "shared memory",
    "tensor_memory": "tensor memory",
}


def _figure(one: Figures, limit: int) -> str:
    amd = one.vgprs is not None
    registers = f"{one.vgprs} VGPR" if amd else f"{one.registers} registers a thread"
    shared = f"{'LDS' if amd else 'shared memory'} {one.shared_bytes}{f' of {limit}' if limit else ''} bytes"
    unit = "waves a SIMD" if amd else "warps an SM"
    limited = " and ".join(_LIMITS[name] for name in one.limited_by)
    counts = one.counts
    parts = [
        f"num_warps {one.num_warps}, num_stages {one.num_stages}",
        f"{registers}, {_spills(one)}",
        shared,
        f"occupancy {one.occupancy:g} of {one.occupancy_limit} {unit}, limited by {limited}",
        _widths("loads", counts.loads),
        _widths("stores", counts.stores),
        _widths("copies to shared memory", counts.copies),
        _widths("matrix instructions", counts.matrix_instructions, unit=""),
        f"{counts.atomics} atomics" if counts.atomics else "",
        f"{counts.barriers} barriers" if counts.barriers else "",
    ]
    return f"{one.kernel}: " + "; ".join(filter(None, parts))


def _spills(one: Figures) -> str:
    if not one.spills:
        return "no spills"
    if one.vgprs is not None:
        return f"SPILLS {one.vgpr_spills or 0} vector and {one.sgpr_spills or 0} scalar registers"
    return f"SPILLS {one.spill_store_bytes or 0} bytes stored and {one.spill_load_bytes or 0} loaded a thread"


def _widths(what: str, counts: dict[str, int], unit: str = "-bit") -> str:
    if not counts:
        return ""
    return f"{what} " + ", ".join(f"{n} x {w}{unit if w.isdigit() else ''}" for w, n in _widest_first(counts))


def _widest_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-int(pair[0]) if pair[0].isdigit() else 0, pair[0]))


def _refusal(code: Code) -> str:
    first = code.message.strip().splitlines()[:1]
    return f"{code.target}: {code.cause.value if code.cause else ''}: {first[0] if first else ''}"


def _notes(verdict: Verdict) -> tuple[str, ...]:
    library: tuple[str, ...] = ()
    if verdict.library:
        library = (f"{verdict.share:.0%} of the bytes are touched by library operations: {', '.join(verdict.library)}",)
    notes = [note for note in verdict.notes if not note.startswith(_STANDING_NOTE)]
    return (*library, *notes[:_MOST_NOTES])
