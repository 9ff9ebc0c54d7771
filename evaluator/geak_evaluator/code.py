"""From what replays handed over to what is known of the machine code for one target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from geak_evaluator.machine_code.compile import Compiler
from geak_evaluator.schema.machine_code import Failure, Handed, Lowered, Why
from geak_evaluator.schema.verdict import Cause, Code

_CAUSES = {
    Why.FRONT_END: Cause.COMPILE_ERROR,
    Why.ASSERTED: Cause.COMPILE_ERROR,
    Why.INVALID: Cause.COMPILE_ERROR,
    Why.REJECTED: Cause.COMPILE_ERROR,
    Why.OUT_OF_RESOURCES: Cause.OUT_OF_RESOURCES,
}
"""All else is the compiler's or this machine's failure: nothing is known of the kernel then."""
_NO_SUCH_TYPE = "not supported in this architecture"


def compiled(compiler: Compiler, handed: Sequence[Handed], target: str, *, eight_bit: bool) -> Code:
    """Figures of every launch; or why there are none, by the first kernel that has none.

    `eight_bit` says that the spec itself asks for an 8-bit float: where a target has none, that is no kernel's fault.
    """
    results = compiler.figures_of(_merged(handed))
    for cause_first in (True, False):  # a refusal says more than a compiler that gave up
        for one in results:
            if one.failure is not None and (one.failure.why in _CAUSES) is cause_first:
                cause = _cause(one.failure, eight_bit)
                where = f" (line {one.failure.line})" if one.failure.line else ""
                return Code(target, cause=cause, message=f"kernel {one.kernel}: {one.failure.message}{where}")
    figures = {repr(one.figures): one.figures for one in results if one.figures is not None}
    return Code(target, tuple(figures.values()))


def refusal(handed: Handed, *, eight_bit: bool) -> Failure | None:
    """What Triton's front end has against a kernel; one that does not compile cannot be right."""
    for lowered in handed.kernels:
        failure = lowered.failure
        refused = failure is not None and failure.why in (Why.FRONT_END, Why.ASSERTED)
        if failure is not None and refused and _cause(failure, eight_bit) is Cause.COMPILE_ERROR:
            return replace(failure, message=f"kernel {lowered.kernel}: {failure.message}")
    return None


def _cause(failure: Failure, eight_bit: bool) -> Cause:
    if failure.why is Why.FRONT_END and eight_bit and _NO_SUCH_TYPE in failure.message:
        return Cause.UNSUPPORTED
    return _CAUSES.get(failure.why, Cause.UNSUPPORTED)


def _merged(handed: Sequence[Handed]) -> Handed:
    texts: dict[str, int] = {}
    kernels: dict[str, Lowered] = {}
    for one in handed:
        for lowered in one.kernels:
            known = 0 <= lowered.text < len(one.texts)
            number = texts.setdefault(one.texts[lowered.text], len(texts)) if known else -1
            moved = replace(lowered, text=number)
            kernels.setdefault(repr(moved), moved)
    return Handed(tuple(texts), tuple(kernels.values()))
