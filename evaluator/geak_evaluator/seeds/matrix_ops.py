"""What some operations are in a graph for seeds: convolution and attention are our own, with sizes that have names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._sympy.printers import PythonPrinter

from geak_evaluator.schema.seed import NEXT
from geak_evaluator.seeds.branches import CannotSeed

_LIBRARY: Any = torch.library.Library("geak", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define(
    "convolution(Tensor x, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] dilation, "
    "bool transposed, SymInt groups, SymInt[] out) -> Tensor"
)
_LIBRARY.define("attention(Tensor q, Tensor k, Tensor v, Tensor? mask, bool causal, float? scale) -> Tensor")
CONVOLUTION = torch.ops.geak.convolution.default
_sdpa = torch.nn.functional.scaled_dot_product_attention
_POOLED_1D = (torch.max_pool1d, torch.nn.functional.max_pool1d, torch.nn.functional.max_pool1d_with_indices)


@torch.library.register_fake("geak::convolution", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _(x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: Any, groups: Any, out: Any):  # type: ignore[no-untyped-def]
    filters = weight.shape[1] * groups if transposed else weight.shape[0]
    return x.new_empty((*x.shape[: -len(out) - 1], filters, *out))


@torch.library.register_fake("geak::attention", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _(q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: Any):  # type: ignore[no-untyped-def]
    return q.new_empty((*q.shape[:-1], v.shape[-1]))


class Whole(TorchFunctionMode):
    """Keeps attention as one operation, which torch would take apart by what the device can do.

    Pooling in one dimension is pooling in two, as torch's own needs the size as a plain number.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Called by torch for each of its functions."""
        if func in (torch.tensor_split, torch.Tensor.tensor_split) and isinstance(args[1], torch.Tensor):
            raise CannotSeed(
                "the rows that belong together are told by values (tensor_split), and a grouped product "
                f"over them has no template here; {NEXT}"
            )
        if func in _POOLED_1D:
            return _pooled(func, *args, **(kwargs or {}))
        return (_attention if func is _sdpa else func)(*args, **(kwargs or {}))


def _pooled(
    func: Any,
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    def wide(value: Any, other: int) -> list[Any]:
        return [other, *(value if isinstance(value, list | tuple) else [value])]

    steps = wide(kernel_size if stride in (None, (), []) else stride, 1)
    sizes = wide(kernel_size, 1), steps, wide(padding, 0), wide(dilation, 1)
    two = torch.nn.functional.max_pool2d_with_indices(x.unsqueeze(-2), *sizes, ceil_mode)
    values, indices = (one.squeeze(-2) for one in two)  # of one row, so that they are the same in two dimensions
    return (values, indices) if return_indices or func is _POOLED_1D[2] else values


def _attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: Any = None,
    enable_gqa: bool = False,
) -> Any:
    same = query.dtype == key.dtype == value.dtype and query.dtype in (torch.float16, torch.bfloat16, torch.float32)
    plain = same and query.dim() <= 4 and not dropout_p and isinstance(scale, float | int | None)
    if not plain:
        return _sdpa(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    return torch.ops.geak.attention(query, key, value, attn_mask, is_causal, scale)


@dataclass
class Named:
    """Gives sizes that follow from others names of their own: Inductor loses itself in long formulas."""

    names: dict[str, Any] = field(default_factory=dict)
    """Names that are there to be given, each with its symbolic size."""
    hints: list[int] = field(default_factory=list)
    """What each size that was asked for is worth; where there are more than names, the graph is to be traced anew."""
    derived: dict[str, str] = field(default_factory=dict)
    """By name, what the size follows from, in Python over the symbols of the graph."""

    def __call__(self, size: Any) -> Any:
        """The size under its name; a plain number or a named size as it is."""
        if not isinstance(size, torch.SymInt):
            return size
        expression = size.node.expr
        if expression.is_Symbol or expression.is_number:
            return size
        self.hints.append(int(size.node.hint))
        for name in self.names:
            if name not in self.derived:
                self.derived[name] = PythonPrinter().doprint(expression)
                return self.names[name]
        return size


def decompositions(named: Named) -> dict[Any, Callable[..., Any]]:
    """What torch's operations are in a graph for seeds."""

    def convolution(
        x: Any,
        weight: Any,
        bias: Any,
        stride: Sequence[Any],
        padding: Sequence[Any],
        dilation: Sequence[Any],
        transposed: bool,
        output_padding: Sequence[Any],
        groups: Any,
    ) -> Any:
        dims = weight.dim() - 2
        stride, padding, dilation, output_padding = (
            list(v) * (dims if len(v) == 1 else 1) for v in (stride, padding, dilation, output_padding)
        )
        out = []
        for size, taps, s, p, d, more in zip(
            x.shape[-dims:], weight.shape[2:], stride, padding, dilation, output_padding, strict=True
        ):
            reach = d * (taps - 1)
            out.append(
                named((size - 1) * s - 2 * p + reach + more + 1 if transposed else (size + 2 * p - reach - 1) // s + 1)
            )
        return CONVOLUTION(x, weight, bias, stride, padding, dilation, transposed, groups, out)

    return {
        torch.ops.aten.convolution.default: convolution,
        torch.ops.aten.native_group_norm.default: _group_norm,
    }


def _group_norm(
    x: Any, weight: Any, bias: Any, batch: Any, channels: Any, inner: Any, groups: int, eps: float
) -> tuple[Any, Any, Any]:
    """As on a GPU: on the CPU, where graphs are traced, torch scales before the mean is subtracted, which cancels."""
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    rows = wide.reshape(batch, groups, channels // groups, inner)
    var, mean = torch.var_mean(rows, dim=(2, 3), unbiased=False, keepdim=True)
    rstd = torch.rsqrt(var + eps)
    y = ((rows - mean) * rstd).view(x.shape)
    across = (1, -1, *(1,) * (x.dim() - 2))
    y = y if weight is None else y * weight.view(across)
    y = y if bias is None else y + bias.view(across)
    return y.to(x.dtype), mean.squeeze((2, 3)).to(x.dtype), rstd.squeeze((2, 3)).to(x.dtype)
