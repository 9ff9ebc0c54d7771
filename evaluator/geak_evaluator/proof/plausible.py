"""What a spec's process says about a case's outputs, held against what the spec declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from geak_evaluator.schema import domain, dtypes, layout
from geak_evaluator.schema.exchange import Expected
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Spec, Tensor, Value, leaves


def declared(spec: Spec, sizes: Mapping[str, Value], target: str) -> tuple[Slot, ...] | None:
    """The outputs that a spec declares, laid out; None where it leaves them to the reference."""
    if spec.outputs is None:
        return None
    slots = []
    for path, tensor in leaves(spec.outputs):
        assert isinstance(tensor, Tensor)
        shape = domain.shape(tensor.shape, sizes)
        slots.append(Slot(path or "0", spec.format(tensor.dtype, sizes, target).name, shape, layout.contiguous(shape)))
    return layout.place(slots)


def fault(
    spec: Spec, sizes: Mapping[str, Value], target: str, inputs: tuple[Slot, ...], told: tuple[Expected, ...]
) -> str:
    """What cannot be about the outputs that we were told of; empty where nothing is."""
    given = {slot.path: slot for slot in inputs}
    wrt = spec.wrt if spec.contract == "gradient" else ()
    named = {f"changed.{n}": given[n] for n in spec.changes if n in given} | {f"grad.{n}": given[n] for n in wrt}
    paths = [item.path for item in told]
    if sorted(p for p in paths if p.startswith(("changed.", "grad."))) != sorted(named) or len({*paths}) < len(paths):
        return f"there are {', '.join(paths) or 'none'}, where {', '.join(named) or 'nothing else'} is changed"
    own = [item for item in told if item.path not in named]
    wanted = declared(spec, sizes, target)
    if wanted is not None and [(s.format, s.shape) for s in wanted] != [(e.format, e.truth.shape) for e in own]:
        return "they are not those that are declared"
    for item in told:
        like = named.get(item.path)
        if like is not None and (item.format, item.truth.shape) != (like.format, like.shape):
            return f"{item.path} is not like the input itself"
        if item.format not in dtypes.FORMATS:
            return f"{item.path}: there is no format {item.format!r}"
        lifted = spec.oracle == "float64" and dtypes.FORMATS[item.format].kind == "float"
        if item.truth.format != ("fp64" if lifted else item.format):
            return f"{item.path} is {item.format}, and the truth about it {item.truth.format}"
        if item.truth.strides != layout.contiguous(item.truth.shape):
            return f"{item.path} does not lie row by row"
        native = item.native
        if native is not None and native != replace(item.truth, format=item.format, offset=native.offset):
            return f"{item.path} is another tensor without float64"
    return ""
