"""What is known of aten's operators by name: which cannot be tasks, and what the integers of some must be."""

from __future__ import annotations

import re

_NOT: tuple[tuple[str, str], ...] = (
    (
        r"_?unsafe_view|view.*|_reshape_alias|t|transpose|permute|expand|slice|select|(un)?squeeze_?|alias|detach"
        r"|as_strided_?|split|split_with_sizes|unbind|narrow|diagonal|unfold|_conj|real|imag|chunk|movedim",
        "it gives a view, which no kernel computes",
    ),
    (
        r"new_.*|zeros.*|ones.*|empty.*|full.*|arange|eye|scalar_tensor|lift_fresh.*|_?to_copy|clone|copy_?|fill_?"
        r"|zero_|set_|resize_|_local_scalar_dense|item",
        "it makes or copies a tensor, and nothing is computed",
    ),
    (
        r"bernoulli_?|native_dropout|rand.*|normal_?|uniform_|multinomial|exponential_|dropout",
        "its answer is drawn at random, and a verdict compares values",
    ),
    (r"nonzero|masked_select|_?unique.*|bincount|repeat_interleave", "the size of its answer follows from values"),
    (r"_cudnn.*|_thnn.*|miopen.*|mkldnn.*|_flash.*|_efficient.*|_scaled_dot.*", "it is a library's own operator"),
    (
        r"max_pool\w*_backward|_adaptive_max_pool\w*_backward|native_dropout_backward",
        "its integers or masks must be those that its forward pass gave",
    ),
    (r"_sparse.*|_fft.*|linalg_.*|svd|qr|lu_.*|cholesky.*", "it is a solver or a transform of a library"),
)

# By operator, which arguments are indices: of what argument, and along which dimension or which argument names it.
_INDICES: dict[str, dict[int, tuple[int, int | str]]] = {
    "embedding": {1: (0, 0)},
    "nll_loss_forward": {1: (0, 1)},
    "nll_loss_backward": {2: (1, 1)},
    "gather": {2: (0, "1")},
    "index_select": {2: (0, "1")},
    "index_add": {2: (0, "1")},
    "index_add_": {2: (0, "1")},
    "scatter": {2: (0, "1")},
    "scatter_": {2: (0, "1")},
    "scatter_add": {2: (0, "1")},
    "scatter_add_": {2: (0, "1")},
}
_POSITIVE = {
    "native_batch_norm": (4,),
    "native_batch_norm_backward": (4, 6),
    "native_layer_norm_backward": (4,),
    "native_group_norm_backward": (3,),
    **dict.fromkeys(("log", "sqrt", "rsqrt", "log2", "log10", "sqrt_", "rsqrt_", "log_"), (0,)),
}
_CHANGED = {"native_batch_norm": (3, 4)}
WINDOWS = re.compile(r".*(conv|pool|pad|im2col|upsample).*")
"""Operators whose images must not be smaller than their windows."""


def why_not(operator: str) -> str:
    """Why an operator ("aten.view.default") can be no task, in a sentence; "" where it may."""
    if not operator.startswith("aten."):
        return "it is none of aten's operators"
    name = base(operator)
    return next((why for pattern, why in _NOT if re.fullmatch(pattern, name)), "")


def base(operator: str) -> str:
    """The name without its library and its overload: "add_" of "aten.add_.Tensor"."""
    return operator.removeprefix("aten.").split(".")[0]


def index_of(operator: str, position: int) -> tuple[int, int | str] | None:
    """Of which argument, and along which of its dimensions, an integer argument holds indices."""
    return _INDICES.get(base(operator), {}).get(position)


def positive(operator: str, position: int) -> bool:
    """Whether an argument must be above 0: a variance, what a root is taken of."""
    return position in _POSITIVE.get(base(operator), ())


def changes(operator: str, args: tuple[object, ...]) -> tuple[int, ...]:
    """The positions of arguments that the operator changes in place."""
    name = base(operator)
    if name.endswith("_") and not name.endswith("__"):
        return (0,)
    changed = _CHANGED.get(name, ())
    return changed if changed and len(args) > 5 and args[5] is True else ()
