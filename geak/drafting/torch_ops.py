"""What torch's functions and a tensor's methods do to shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geak.drafting import products, sampling, views
from geak.drafting.dims import Dim
from geak.drafting.values import Arr, DType, Known, Num, Seq, Value, broadcast, sizes
from geak.drafting.views import axis, first, need

if TYPE_CHECKING:
    from geak.drafting.shapes import Reader


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_REDUCTIONS = _words(
    "sum mean amax amin max min prod std var norm logsumexp argmax argmin any all median count_nonzero"
)
_PAIRS = _words("max min median mode kthvalue cummax cummin std_mean var_mean")
_CREATE = _words("zeros ones empty full rand randn new_zeros new_ones new_empty new_full")
_LOSSES = _words(
    "mse_loss l1_loss smooth_l1_loss huber_loss kl_div binary_cross_entropy binary_cross_entropy_with_logits"
)
_ELEMENTWISE = _LOSSES | _words(
    "add sub mul div maximum minimum pow where lerp atan2 fmod remainder eq ne lt le gt ge logical_and logical_or "
    "addcmul addcdiv clamp clip masked_fill copysign hypot copy xlogy logaddexp"
)
_CAST = {
    "float": "fp32",
    "half": "fp16",
    "bfloat16": "bf16",
    "double": "fp64",
    "long": "int64",
    "int": "int32",
    "bool": "bool",
}
_HANDLERS: dict[str, views.Handler] = {**views.TABLE, **products.TABLE, **sampling.TABLE}


def function(reader: Reader, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
    """The result of `torch.name(*args, **keywords)`; an unknown one of a single tensor keeps its shape."""
    tensors = [v for v in [*args, *keywords.values()] if isinstance(v, Arr)]
    handler = _HANDLERS.get(name)
    if handler is not None:
        return handler(args, keywords)
    if name in _CREATE or name.endswith("_like"):
        return _created(name, args, keywords)
    if name == "randint":
        return _drawn(args, keywords)
    if name in _REDUCTIONS:
        return _reduced(name, args, keywords)
    if name in _ELEMENTWISE or name.startswith("bitwise_"):
        return _elementwise(reader, name, tensors)
    first_tensor = tensors[0] if tensors else None
    if first_tensor is None:
        return Value()
    made = first_tensor.like(dtype=_CAST.get(name)) if first_tensor.dims is not None else first_tensor
    made.roles |= {"share"} if name in ("softmax", "sigmoid") else set()
    return made


def _elementwise(reader: Reader, name: str, tensors: list[Arr]) -> Value:
    if name in ("where", "masked_fill") and tensors:
        condition = tensors[0] if name == "where" else tensors[1] if len(tensors) > 1 else None
        if condition is not None:
            condition.mark("bool")
    result: Value = tensors[0] if tensors else Value()
    if name == "where" and len(tensors) > 1:
        result = tensors[1]
        tensors = [*tensors[1:], tensors[0]]
    for other in tensors[1:]:
        if isinstance(result, Arr):
            result = broadcast(result, other, reader.trailing)
    if name in _LOSSES:
        return Arr([])
    return result


def _reduced(name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
    x = first(args, keywords)
    if x is None:
        return Value()
    if len(args) > 1 and isinstance(args[1], Arr):
        return broadcast(x, args[1], frozenset())
    over = keywords.get("dim", keywords.get("axis", args[-1] if name == "norm" and len(args) > 2 else None))
    if over is None and len(args) > 1 and name != "norm":
        over = args[1]
    keep = keywords.get("keepdim", args[2] if len(args) > 2 and name != "norm" else None)
    kept = isinstance(keep, Known) and bool(keep.value)
    positions = over.items if isinstance(over, Seq) else [over] if over is not None else []
    for position in positions:
        need(x, position)
    if x.dims is None:
        made = x.made(0 if kept else -len(positions)) if positions else Arr([])
        return Seq([made, made]) if name in _PAIRS and positions else made
    dtype = "int64" if name.startswith("arg") else "bool" if name in ("any", "all") else None
    if not positions:
        return x.like([], dtype)
    gone = {axis(p, len(x.dims)) for p in positions}
    left = [Dim(1) if i in gone else d for i, d in enumerate(x.dims) if kept or i not in gone]
    result = x.like(left, dtype)
    return Seq([result, x.like(left, "int64")]) if name in _PAIRS else result


def _drawn(args: list[Value], keywords: dict[str, Value]) -> Value:
    """Integers of `randint(high, size)` or `randint(low, high, size)`."""
    high, shape = (args[-2], args[-1]) if len(args) > 1 else (keywords.get("high"), keywords.get("size"))
    said = keywords.get("dtype")
    made = Arr(sizes(shape) if shape is not None else None, said.name if isinstance(said, DType) else "int64")
    made.high = high.dim if isinstance(high, Num) else None
    return made


def _created(name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
    like = args[0] if args and isinstance(args[0], Arr) else None
    said = keywords.get("dtype")
    dtype = said.name if isinstance(said, DType) else like.dtype if like is not None else "fp32"
    if name.endswith("_like"):
        return like.like(dtype=dtype) if like is not None and like.dims is not None else Arr()
    given = [a for a in args if not isinstance(a, Arr)]
    if name in ("full", "new_full"):
        given = given[:1]
    numbers: list[Value] = [g for g in given if isinstance(g, Num)]
    known = sizes(keywords.get("size", given[0] if len(given) == 1 else Seq(numbers)))
    return Arr(known, dtype) if known is not None else Arr()
