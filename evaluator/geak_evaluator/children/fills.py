"""Drawing the values of inputs, as a spec declares them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from geak_evaluator.schema import dtypes

Args = tuple[float, ...]
Shape = tuple[int, ...]


def fill(tensor: torch.Tensor, format: str, kind: str, args: Args, rng: torch.Generator) -> None:
    """Draws every element of a tensor, in place."""
    values = _DRAW[kind](tuple(tensor.shape), dtypes.resolve(format), args, rng)
    if values.is_floating_point() and tensor.is_floating_point() and kind not in ("inf", "nan"):
        limit = min(torch.finfo(tensor.dtype).max, torch.finfo(values.dtype).max)
        values = values.clamp(-limit, limit)  # a cast to fp8 would make what is over its range NaN
    tensor.copy_(values.to(tensor.dtype))


def _wide(format: dtypes.Format) -> torch.dtype:
    """What is drawn in: a double's last bits are drawn too, or a kernel could leave them out unseen."""
    return torch.float64 if format.kind == "float" and format.bytes == 8 else torch.float32


def _randn(shape: Shape, format: dtypes.Format, rng: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=rng, dtype=_wide(format))


def _normal(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    mean, std = (*args, *(0.0, 1.0)[len(args) :])
    return _randn(shape, format, rng) * std + mean


def _uniform(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    low, high = (*args, *(0.0, 1.0)[len(args) :])
    return torch.rand(shape, generator=rng, dtype=_wide(format)) * (high - low) + low


def _integers(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    low, high = int(args[0]), int(args[1])
    return torch.randint(low, max(high, low + 1), shape, generator=rng)


def _sorted(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return _integers(shape, format, args, rng).sort(dim=-1).values


def _permutation(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    count = int(args[0])
    if shape[-1] > count:
        raise ValueError(f"permutation({count}) cannot fill a last dimension of {shape[-1]}")
    return torch.rand((*shape[:-1], count), generator=rng).argsort(dim=-1)[..., : shape[-1]]


def _bits(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    if format.kind == "bool":
        return torch.rand(shape, generator=rng) < 0.5
    if format.kind == "float":
        spread = torch.randint(format.min_exponent // 2, 1 - format.min_exponent // 2, shape, generator=rng)
        return torch.randn(shape, generator=rng, dtype=torch.float64) * torch.exp2(spread.double())
    bits = 8 * format.bytes
    low = -(1 << (bits - 1)) if format.signed or format.bytes == 8 else 0
    return torch.randint(low, min(low + (1 << bits), (1 << 63) - 1), shape, generator=rng)


def _constant(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return torch.full(shape, args[0] if args else 0.0)


def _ones(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return torch.ones(shape)


def _scales(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return torch.exp2(torch.randint(-3, 4, shape, generator=rng).float()) * (1 + torch.rand(shape, generator=rng))


def _mask(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=rng) < (args[0] if args else 0.5)


def _offsets(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    total = int(args[0])
    inner = torch.randint(0, total + 1, (*shape[:-1], max(shape[-1] - 2, 0)), generator=rng).sort(dim=-1).values
    first, last = torch.zeros((*shape[:-1], 1)), torch.full((*shape[:-1], 1), total)
    return torch.cat([first.long(), inner, last.long()], dim=-1)[..., : shape[-1]]


def _large(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return _randn(shape, format, rng) * (64.0 if format.bytes > 1 else 8.0)


def _tiny(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    # Nothing below the smallest normal number: flushing that is no fault.
    values = _randn(shape, format, rng) * 2.0 ** max(format.min_exponent // 2, -20)
    smallest = 2.0**format.min_exponent
    return torch.where(values.abs() < smallest, torch.full_like(values, smallest), values)


def _shifted(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return _randn(shape, format, rng) + 8.0


def _spikes(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    spikes = torch.rand(shape, generator=rng) < 1 / 32
    return _randn(shape, format, rng) * torch.where(spikes, 128.0 if format.bytes > 1 else 16.0, 1.0)


def _inf(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return _sprinkled(shape, (float("inf"), -float("inf")), rng)


def _nan(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    return _sprinkled(shape, (float("nan"),), rng)


def _denormal(shape: Shape, format: dtypes.Format, args: Args, rng: torch.Generator) -> torch.Tensor:
    smallest = 2.0 ** (format.min_exponent - format.mantissa)
    return _sprinkled(shape, (smallest, -3 * smallest), rng)


def _sprinkled(shape: Shape, values: tuple[float, ...], rng: torch.Generator) -> torch.Tensor:
    chosen = torch.tensor(values, dtype=torch.float64)[torch.randint(0, len(values), shape, generator=rng)]
    return torch.where(torch.rand(shape, generator=rng) < 1 / 16, chosen, torch.randn(shape, generator=rng).double())


_DRAW: dict[str, Callable[[Shape, dtypes.Format, Args, torch.Generator], torch.Tensor]] = {
    "normal": _normal,
    "uniform": _uniform,
    "integers": _integers,
    "sorted": _sorted,
    "permutation": _permutation,
    "bits": _bits,
    "constant": _constant,
    "zeros": _constant,
    "ones": _ones,
    "scales": _scales,
    "mask": _mask,
    "offsets": _offsets,
    "large": _large,
    "tiny": _tiny,
    "shifted": _shifted,
    "spikes": _spikes,
    "inf": _inf,
    "nan": _nan,
    "denormal": _denormal,
}
