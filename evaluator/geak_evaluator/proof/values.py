"""Values that a case is run on besides those that its spec declares: the usual draw hides many a fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geak_evaluator.schema.spec import Case, Fill, Spec, Tensor

EVERYWHERE = ("uniform(-1, 1)", "shifted", "large", "tiny", "spikes")
"""Drawn for every input that may be any real number, all at once."""
FIRST = {"constant": "0.75", "zeros": "0"}
"""Only for the first of them: with all inputs alike, there would be little left to be wrong.

In its deviations from its mean, where others are declared to lie somewhere too: it must not be far from all of them.
"""


@dataclass(frozen=True)
class Values:
    """One way to draw them."""

    name: str
    fills: dict[str, str]
    """By input."""
    special: bool = False
    """Whether what comes out may be infinite or no number at all."""


def variations(spec: Spec, case: Case) -> Iterator[Values]:
    """The ways in which a case's inputs may be drawn besides the declared one."""
    given = {name: tensor for name, tensor in spec.tensors.items() if name not in case.without}
    real = [name for name, tensor in given.items() if _is_real(spec, tensor, case)]
    for fill in EVERYWHERE if real else ():
        yield Values(Fill.parse(fill).kind, dict.fromkeys(real, fill))
    for name in real[:1]:
        lies = any(_fill(spec, given[other], case).args for other in real[1:])
        args = _fill(spec, given[name], case).args if lies else ()
        mean, deviation = (*args, *("0", "1")[len(args) :])
        for kind, times in FIRST.items():
            yield Values(f"{kind} {name}", {name: f"constant(({mean}) + {times} * ({deviation}))"})
    packed = [name for name, tensor in given.items() if _fill(spec, tensor, case).kind == "bits"]
    if packed:
        yield Values("zero-bit", dict.fromkeys(packed, "zeros"))
    for name, tensor in given.items():
        for special in tensor.special:
            yield Values(f"{special} {name}", {name: special}, special=True)


def _is_real(spec: Spec, tensor: Tensor, case: Case) -> bool:
    """Whether it may hold any number, as a normal one does; a fill with bounds is a promise that kernels rely on."""
    return spec.format(tensor.dtype, case.sizes).kind == "float" and _fill(spec, tensor, case).kind == "normal"


def _fill(spec: Spec, tensor: Tensor, case: Case) -> Fill:
    return tensor.filled(spec.format(tensor.dtype, case.sizes).kind)
