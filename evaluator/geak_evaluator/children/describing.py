"""What is kept of an argument of a foreign test: its form, and how its values seem to have come about."""

from __future__ import annotations

import math
from typing import Any

ITEMS = 64
"""Items that are kept of a sequence."""
LITERAL = 4096
"""Whole numbers of a tensor that are kept one by one."""
FEW = 64
"""Floats of a tensor that are kept one by one: some operations are defined on few matrices."""
_TEXT = 100


def describe(value: Any, depth: int = 0) -> Any:
    """Plain data: a tensor by its form and how its values seem to be drawn."""
    import torch

    if value is None or type(value) in (int, bool):
        return value
    if isinstance(value, float):
        value = float(value)
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, str):
        return value[:_TEXT]
    if isinstance(value, torch.Tensor):
        form: dict[str, Any] = {"tensor": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
        if value.layout == torch.strided and not value.is_contiguous():
            form["strides"] = list(value.stride())
        if not value.is_meta and value.layout == torch.strided:
            form["drawn"] = drawn(value.detach())
        return form
    if isinstance(value, tuple | list) and depth < 4 and len(value) <= ITEMS:
        return {"tuple" if isinstance(value, tuple) else "list": [describe(one, depth + 1) for one in value]}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value)}
    if type(value).__name__ in ("dtype", "constexpr") and type(value).__module__.startswith("triton"):
        return {"triton": _named(value)}
    if isinstance(value, torch.layout | torch.memory_format):
        return {"torch": str(value)}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    return {"object": f"{type(value).__module__}.{type(value).__qualname__}"[:_TEXT]}


def _named(value: Any) -> str:
    """A format or a constant of Triton's as source; float8e5 calls itself fp8e5, a name that nothing goes by."""
    import triton.language as tl

    if isinstance(value, tl.constexpr):
        return f"tl.constexpr({value.value!r})"
    known = (name for name, meant in vars(tl).items() if meant is value)
    return f"tl.{found}" if (found := next(known, "")) else repr(value)


def drawn(tensor: Any) -> dict[str, Any]:
    """How a tensor's values seem to have come about; each whole number only where they are few."""
    if tensor.numel() == 0:
        return {}
    if tensor.dtype.is_complex:
        return {}
    if tensor.is_floating_point():
        values = tensor.double()
        finite = values[values.isfinite()]
        if finite.numel() == 0:
            return {}
        low, high = float(finite.min()), float(finite.max())
        known = {"min": low, "max": high, "std": float(finite.std()) if finite.numel() > 1 else 0.0}
        return known | ({"floats": tensor.double().tolist()} if finite.numel() == tensor.numel() <= FEW else {})
    if str(tensor.dtype) == "torch.bool":
        known = {"share": float(tensor.double().mean())}
        return known | ({"values": tensor.tolist()} if tensor.numel() <= FEW else {})
    values = tensor.long()
    flat = values.flatten()
    low, high = int(flat.min()), int(flat.max())
    found: dict[str, Any] = {"min": low, "max": high, "distinct": int(flat.unique().numel())}
    last = values.shape[-1] if values.dim() else 0
    if values.dim() and last > 1:
        found["sorted"] = bool((values.diff(dim=-1) >= 0).all())
        rows = values.reshape(-1, last).sort(dim=-1).values
        found["permutation"] = bool((rows == rows.new_tensor(range(last))).all())
        found["last"] = int(values[..., -1].max())
    if tensor.numel() <= LITERAL:
        found["values"] = values.tolist()
    return found


def form(described: dict[str, Any]) -> Any:
    """What makes two calls one: all but how values were drawn."""
    if isinstance(described, dict):
        return {k: form(v) for k, v in described.items() if k != "drawn"}
    return described
