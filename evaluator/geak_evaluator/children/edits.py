"""Inputs that are otherwise in one thing: what a reference gives on them may be what a faulty kernel gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from geak_evaluator.schema import layout
from geak_evaluator.schema.exchange import Edit

Values = dict[str, Any]


def edited(values: Values, edit: Edit) -> Values:
    """The values with those that are edited in new memory; an error of torch's where it cannot be."""
    if edit.kind == "mutated":
        return values
    named = [name for name in edit.inputs if name in values]
    if edit.kind == "scalar":
        return values | {name: type(values[name])(edit.value) for name in named}
    if edit.kind == "like" and named:
        return values | {edit.inputs[0]: values[edit.other].clone()}
    if edit.kind == "exchanged" and named:
        one, other = edit.inputs[0], edit.other
        return values | {one: values[other].clone(), other: values[one].clone()}
    axes = edit.axes if edit.kind in ("laid", "apart") else (edit.axes or (-1,) * len(edit.inputs))
    changed = {}
    for number, name in enumerate(edit.inputs):
        if name in values:
            own = axes if edit.kind in ("laid", "apart") else (axes[number],)
            changed[name] = _EDIT[edit.kind](values[name], edit, own)
    return values | changed


def flat(gradient: torch.Tensor) -> torch.Tensor:
    """A gradient, whose first axis is the innermost for a kernel, as it is read by one that takes it for contiguous."""
    return gradient.permute(*range(gradient.dim() - 1, -1, -1)).contiguous().view(gradient.shape)


def _bits(value: torch.Tensor) -> torch.Tensor:
    """What can be moved: torch moves no floats of 8 bits."""
    return value.view(torch.uint8) if value.is_floating_point() and value.element_size() == 1 else value


def _moved(move: Callable[[torch.Tensor, Edit, int], torch.Tensor]) -> Callable[..., torch.Tensor]:
    def apply(value: torch.Tensor, edit: Edit, axes: tuple[int, ...]) -> torch.Tensor:
        return move(_bits(value), edit, axes[0]).contiguous().view(value.dtype)

    return apply


def _full(shape: tuple[int, ...], value: float, like: torch.Tensor) -> torch.Tensor:
    return torch.full(shape, value, dtype=torch.float32).to(like.dtype)


def _apart(value: torch.Tensor, edit: Edit, axes: tuple[int, ...]) -> torch.Tensor:
    return _bits(value).as_strided(value.shape, axes, 0).contiguous().view(value.dtype)


def _flat(value: torch.Tensor, edit: Edit, axes: tuple[int, ...]) -> torch.Tensor:
    return _apart(value, edit, layout.contiguous(tuple(value.shape)))


def _laid(value: torch.Tensor, edit: Edit, axes: tuple[int, ...]) -> torch.Tensor:
    memory = _bits(value).contiguous().view([value.shape[axis] for axis in axes])
    return memory.permute([axes.index(axis) for axis in range(value.dim())]).contiguous().view(value.dtype)


def _pairs(value: torch.Tensor, *sizes: int) -> torch.Tensor:
    return value.reshape(*value.shape[:-1], *sizes).mT.flatten(-2)


def _first(value: torch.Tensor, edit: Edit, axis: int) -> torch.Tensor:
    return value.narrow(axis, 0, 1).expand(value.shape)


def _repeated(value: torch.Tensor, edit: Edit, axis: int) -> torch.Tensor:
    return value.index_select(axis, torch.arange(value.shape[axis]) % edit.stop)


def _only(value: torch.Tensor, edit: Edit, axes: tuple[int, ...]) -> torch.Tensor:
    axis, length = axes[0], edit.stop - edit.start
    kept = _bits(_full(tuple(value.shape), edit.value, value))
    kept.narrow(axis, edit.start, length).copy_(_bits(value).narrow(axis, edit.start, length))
    return kept.view(value.dtype)


def _of_each(value: torch.Tensor, edit: Edit, axis: int) -> torch.Tensor:
    dropped = torch.arange(value.shape[axis]) % edit.stop >= edit.start
    return value.index_fill(axis, dropped.nonzero().flatten(), 0)


def _padded(value: torch.Tensor, edit: Edit, axes: tuple[int, ...]) -> torch.Tensor:
    axis, shape = axes[0], list(value.shape)
    shape[axis] = edit.stop - shape[axis]
    beyond = _full(tuple(shape), edit.value if value.is_floating_point() else 0, value)
    return torch.cat([_bits(value), _bits(beyond)], dim=axis).view(value.dtype)


def _counted(value: torch.Tensor, edit: Edit, axes: tuple[int, ...]) -> torch.Tensor:
    return torch.arange(value.shape[-1]).to(value.dtype).expand(value.shape).contiguous()


_EDIT: dict[str, Callable[..., torch.Tensor]] = {
    "filled": lambda value, edit, axes: _full(tuple(value.shape), edit.value, value),
    "flat": _flat,
    "laid": _laid,
    "apart": _apart,
    "first": _moved(_first),
    "rolled": _moved(lambda value, edit, axis: value.roll(edit.start, axis)),
    "flipped": _moved(lambda value, edit, axis: value.flip(axis)),
    "repeated": _moved(_repeated),
    "only": _only,
    "of_each": _moved(_of_each),
    "cut": _moved(lambda value, edit, axis: value.narrow(axis, edit.start, edit.stop - edit.start)),
    "padded": _padded,
    "counted": _counted,
    "added": lambda value, edit, axes: value + int(edit.value),
    "clamped": lambda value, edit, axes: value.clamp(min=0),
    "negated": lambda value, edit, axes: -value,
    "interleaved": _moved(lambda value, edit, axis: _pairs(value, 2, -1)),
    "separated": _moved(lambda value, edit, axis: _pairs(value, -1, 2)),
    "nibbles": lambda value, edit, axes: (value & 15) << 4 | (value >> 4) & 15,
    "signed_nibbles": lambda value, edit, axes: value ^ 0x88,
}
