"""What may be done instead of an operation of torch's, by the words for it: the slips that kernels are written with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.nn import functional


class Call:
    """One call of torch's by a reference."""

    def __init__(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], sums: Any) -> None:
        self.func, self.args, self.kwargs = func, args, kwargs
        self._sums = sums

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The same with other arguments, where some are given."""
        return self.func(*(args or self.args), **{**self.kwargs, **kwargs})

    def given(self, place: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.kwargs.get(name, default)

    def summed(self) -> Any:
        """The two that its first argument is the sum of, or None."""
        found = self._sums.get(id(self.args[0]))
        return found[1:] if found is not None else None


def _same(call: Call) -> Any:
    value = call.args[0]
    return value if isinstance(value, torch.Tensor) and value.shape == call().shape else None


def _operand(number: int) -> Callable[[Call], Any]:
    def keep(call: Call) -> Any:
        if len(call.args) != 2:
            return None
        result, value = call(), call.args[number]
        if not isinstance(value, torch.Tensor):
            return torch.full_like(result, value)
        return value.to(result.dtype).broadcast_to(result.shape).clone()

    return keep


def _exchanged(call: Call) -> Any:
    if len(call.args) != 2:
        return None
    one, other = (value if isinstance(value, torch.Tensor) else torch.tensor(value) for value in call.args)
    return call(other, one)


def _as(operation: Callable[..., Any]) -> Callable[[Call], Any]:
    """Another operation on the same two operands."""
    return lambda call: operation(*call.args) if len(call.args) == 2 else None


def _on(operation: Callable[[Any], Any]) -> Callable[[Call], Any]:
    """Another operation on the first operand alone."""
    return lambda call: operation(call.args[0])


def _along(operation: Callable[..., Any]) -> Callable[[Call], Any]:
    """Another reduction of the same axes."""

    def reduce(call: Call) -> Any:
        axes = call.given(1, "dim")
        kept = bool(call.given(2, "keepdim", False))
        if axes is None:
            return operation(call.args[0], tuple(range(call.args[0].dim())), False)
        return operation(call.args[0], axes, kept)

    return reduce


def _squared_distance(call: Call) -> Any:
    if len(call.args) == 2 and (call.args[1] is call.args[0] or (isinstance(call.args[1], int) and call.args[1] == 2)):
        return call.args[0].abs()
    return None


def _outside(power: float) -> Callable[[Call], Any]:
    def root(call: Call) -> Any:
        name = call.func.__name__.strip("_")
        own = {"rsqrt": -0.5, "sqrt": 0.5}.get(name, call.args[1] if len(call.args) > 1 else None)
        parts = call.summed()
        if own != power or parts is None:
            return None
        total = torch.sqrt(parts[0]) + parts[1]
        return total if power > 0 else 1 / total

    return root


def _root(call: Call) -> Any:
    name = call.func.__name__.strip("_")
    own = {"rsqrt": -0.5, "sqrt": 0.5}.get(name, call.args[1] if len(call.args) > 1 else None)
    if own not in (0.5, -0.5):
        return None
    return call.args[0] ** -own


def _of_term(number: int) -> Callable[[Call], Any]:
    def apply(call: Call) -> Any:
        parts = call.summed()
        if parts is None:
            return None
        term = parts[number] if isinstance(parts[number], torch.Tensor) else torch.tensor(parts[number])
        return call(term, *call.args[1:]) + parts[1 - number]

    return apply


def _undivided(call: Call) -> Any:
    value, axis = call.args[0], call.given(1, "dim")
    return torch.exp(value - value.amax(axis, keepdim=True))


def _shifted(step: int) -> Callable[[Call], Any]:
    return lambda call: call.func(call.args[0], call.given(1, "diagonal", 0) + step)


def _round_robin(call: Call) -> Any:
    count, axis = call.given(1, "repeats"), call.given(2, "dim")
    return torch.cat([call.args[0]] * count, dim=axis) if isinstance(count, int) and axis is not None else None


def _bound(number: int) -> Callable[[Call], Any]:
    def keep(call: Call) -> Any:
        bounds = [call.given(1, "min"), call.given(2, "max")]
        return call.args[0].clamp(**{("min", "max")[number]: bounds[number]}) if None not in bounds else None

    return keep


def _unbiased(call: Call) -> Any:
    """A mean by one element less: what takes it for a variance's."""
    axes = call.given(1, "dim")
    value = call.args[0]
    count = value.numel() // call().numel()
    return value.sum(axes, bool(call.given(2, "keepdim", False))) / (count - 1) if axes is not None else None


def _normalised(change: str) -> Callable[[Call], Any]:
    """torch's normalisations written out, with one thing otherwise."""

    def norm(call: Call) -> Any:
        value = call.args[0]
        if call.func.__name__ == "layer_norm":
            axes = tuple(range(-len(call.given(1, "normalized_shape")), 0))
            groups, per = value, call.given(1, "normalized_shape")
        else:
            groups = value.reshape(value.shape[0], call.given(1, "num_groups"), -1)
            axes, per = (-1,), (value.shape[1], *(1,) * (value.dim() - 2))
        weight, bias, eps = call.given(2, "weight"), call.given(3, "bias"), call.given(4, "eps", 1e-5)
        mean = groups.mean(axes, keepdim=True)
        variance = groups.var(axes, keepdim=True, correction=int(change == "unbiased"))
        root = torch.sqrt(variance) + eps if change == "outside" else torch.sqrt(variance + eps)
        if change == "raw":
            root = torch.sqrt((groups * groups).mean(axes, keepdim=True) + eps)
        scaled = (groups if change == "kept" else groups - mean) / root
        scaled = scaled.reshape(value.shape)
        if weight is not None:
            weight = weight.reshape(per)
            scaled = scaled + weight if change == "added" else scaled * weight
        return scaled + bias.reshape(per) if bias is not None else scaled

    return norm


def _tanh_form(x: Any, times: float) -> Any:
    return x * torch.sigmoid(times * (2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))


_FUNCTIONS = """
abs clamp cos cumsum dropout elu erf exp exp2 expm1 floor gelu hardtanh leaky_relu log log1p log2 log_softmax logsigmoid
masked_fill mish nan_to_num neg reciprocal relu round rsqrt selu sigmoid sign silu sin softmax softplus sort sqrt square
tanh tril triu trunc
"""
_UNARY = frozenset(_FUNCTIONS.split())
_BINARY = frozenset(("add", "sub", "mul", "div", "pow", "maximum", "minimum"))


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


SLIPS: dict[str, tuple[Iterable[str], Callable[[Call], Any]]] = {
    "left out": (_UNARY, _same),
    "of the negative": (_UNARY - {"neg", "abs", "clamp"}, lambda call: call(-call.args[0], *call.args[1:])),
    "its first operand alone": (_BINARY, _operand(0)),
    "its second operand alone": (_BINARY, _operand(1)),
    "with its operands exchanged": (_names("sub", "div", "pow"), _exchanged),
    "divided by one less": (_names("mean"), _unbiased),
    "the sum": (_names("mean"), _along(torch.sum)),
    "the mean": (_names("sum"), _along(torch.mean)),
    "the maximum": (_names("sum", "mean"), _along(torch.amax)),
    "the minimum": (_names("amax", "max"), _along(torch.amin)),
    "argmin": (_names("argmax"), lambda call: (-call.args[0]).argmax(call.given(1, "dim"))),
    "the magnitude": (_names("pow", "mul"), _squared_distance),
    "sigmoid": (_names("silu", "gelu"), _on(torch.sigmoid)),
    "silu": (_names("sigmoid", "gelu"), _on(functional.silu)),
    "gelu": (_names("silu", "relu"), _on(functional.gelu)),
    "relu": (_names("silu", "gelu"), _on(functional.relu)),
    "the other gelu": (
        _names("gelu"),
        lambda call: call(approximate="none" if call.given(1, "approximate", "none") == "tanh" else "tanh"),
    ),
    "x * sigmoid(1.702 * x)": (_names("gelu"), lambda call: call.args[0] * torch.sigmoid(1.702 * call.args[0])),
    "x * sigmoid(0.7979 * (x + 0.044715 * x**3))": (_names("gelu"), lambda call: _tanh_form(call.args[0], 1.0)),
    "with erf(x), not erf(x / sqrt(2))": (
        _names("gelu"),
        lambda call: call.args[0] * (1 + torch.erf(call.args[0])) / 2,
    ),
    "cut off": (_names("round"), _on(torch.trunc)),
    "rounded down": (_names("round"), _on(torch.floor)),
    "not limited above": (_names("clamp"), _bound(0)),
    "not limited below": (_names("clamp"), _bound(1)),
    "not divided by its sum": (_names("softmax"), _undivided),
    "one further": (_names("triu", "tril"), _shifted(1)),
    "one less far": (_names("triu", "tril"), _shifted(-1)),
    "repeat": (_names("repeat_interleave"), _round_robin),
    "the other root": (_names("sqrt", "rsqrt", "pow"), _root),
    "with what is added outside of the root": (
        _names("sqrt", "rsqrt", "pow"),
        lambda call: next((v for p in (0.5, -0.5) if (v := _outside(p)(call)) is not None), None),
    ),
    "a sum": (_names("sub", "mul"), _as(torch.add)),
    "a difference": (_names("add"), _as(torch.sub)),
    "a product": (_names("add", "div"), _as(torch.mul)),
    "a quotient": (_names("mul"), _as(torch.div)),
    "of the first term of its sum alone": (_UNARY, _of_term(0)),
    "of the second term of its sum alone": (_UNARY, _of_term(1)),
    "by the unbiased variance": (_names("layer_norm", "group_norm"), _normalised("unbiased")),
    "with eps outside of the root": (_names("layer_norm", "group_norm"), _normalised("outside")),
    "without taking off the mean": (_names("layer_norm", "group_norm"), _normalised("kept")),
    "by the mean of squares, not the variance": (_names("layer_norm", "group_norm"), _normalised("raw")),
    "with the weight added, not multiplied": (_names("layer_norm", "group_norm"), _normalised("added")),
    "the loss with the other sign": (
        _names("cross_entropy", "nll_loss", "kl_div", "mse_loss", "smooth_l1_loss"),
        lambda call: -call(),
    ),
    "the distance, not its square": (
        _names("mse_loss"),
        lambda call: functional.l1_loss(call.args[0], call.args[1], reduction=call.kwargs.get("reduction", "mean")),
    ),
}
