"""Number formats by name, with what comparing and laying out needs to know of them; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from geak_evaluator.schema.target import TARGETS

Kind = Literal["float", "int", "bool"]


@dataclass(frozen=True)
class Format:
    """One number format."""

    name: str
    torch: str
    """The attribute of `torch` that names it."""
    kind: Kind
    bytes: int
    mantissa: int = 0
    """Explicit mantissa bits; a step of the format near x is 2**(exponent(x) - mantissa)."""
    min_exponent: int = 0
    """Exponent of the smallest normal number: below it steps stop shrinking."""
    largest: float = 0.0
    """The largest finite number of a float format."""
    signed: bool = True


_ALL = (
    Format("fp64", "float64", "float", 8, 52, -1022, float.fromhex("0x1.fffffffffffffp1023")),
    Format("fp32", "float32", "float", 4, 23, -126, float.fromhex("0x1.fffffep127")),
    Format("fp16", "float16", "float", 2, 10, -14, 65504.0),
    Format("bf16", "bfloat16", "float", 2, 7, -126, float.fromhex("0x1.fep127")),
    Format("fp8_e4m3fn", "float8_e4m3fn", "float", 1, 3, -6, 448.0),
    Format("fp8_e4m3fnuz", "float8_e4m3fnuz", "float", 1, 3, -7, 240.0),
    Format("fp8_e5m2", "float8_e5m2", "float", 1, 2, -14, 57344.0),
    Format("fp8_e5m2fnuz", "float8_e5m2fnuz", "float", 1, 2, -15, 57344.0),
    Format("int8", "int8", "int", 1),
    Format("int16", "int16", "int", 2),
    Format("int32", "int32", "int", 4),
    Format("int64", "int64", "int", 8),
    Format("uint8", "uint8", "int", 1, signed=False),
    Format("uint16", "uint16", "int", 2, signed=False),
    Format("uint32", "uint32", "int", 4, signed=False),
    Format("uint64", "uint64", "int", 8, signed=False),
    Format("bool", "bool", "bool", 1, signed=False),
)

FORMATS: dict[str, Format] = {f.name: f for f in _ALL}

NAMES: tuple[str, ...] = (*FORMATS, "fp8_e4m3")


def resolve(name: str, target: str = "") -> Format:
    """The format behind a name on a target: `fp8_e4m3` is e4m3fnuz on gfx942 and e4m3fn elsewhere."""
    if name == "fp8_e4m3":
        name = f"fp8_e4m3{TARGETS[target].fp8_e4m3 if target in TARGETS else 'fn'}"
    if name not in FORMATS:
        raise ValueError(f"there is no number format {name!r}; there are {', '.join(NAMES)}")
    return FORMATS[name]


def of_torch(attribute: str) -> Format | None:
    """The format that torch calls so (`bfloat16`), if it is one of ours."""
    return next((f for f in _ALL if f.torch == attribute), None)
