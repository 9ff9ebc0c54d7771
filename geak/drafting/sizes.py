"""Which sizes to run at: small awkward ones for proving, realistic ones for timing."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, field, replace

from geak_evaluator.schema import domain, expr
from geak_evaluator.schema.spec import Axis, Spec, Value

_LARGE = 1 << 27
Sizes = dict[str, Value]


@dataclass
class AxisDraft:
    """One axis before it is written."""

    name: str
    multiple_of: int = 1
    choices: tuple[int, ...] = ()
    least: int = 1
    most: int = 0
    """Among sizes that somebody asks for."""
    own: int = 0
    """The size in the file's own example; 0 where it has none."""
    role: tuple[int, ...] = field(default=())
    """Sizes for the three cases, for timing, and the most."""

    def __post_init__(self) -> None:
        self.role = _role(self.name)

    @property
    def axis(self) -> Axis:
        """The declaration."""
        if self.choices:
            return Axis(choices=self.choices)
        most = -(-max(self.role[4], self.own, self.most) // self.multiple_of) * self.multiple_of
        least = -(-self.least // self.multiple_of) * self.multiple_of
        return Axis(least, max(least, most), self.multiple_of)

    @property
    def powers(self) -> tuple[int, ...]:
        """Powers of two to choose among, near the sizes that it would have; 16 at least, as `tl.dot` wants."""
        return tuple(sorted({max(16, 1 << (size - 1).bit_length()) for size in self.role[:4]}))

    def size(self, number: int) -> int:
        """The size in one of the three cases (0 to 2), or for timing (3)."""
        if self.choices:
            return self.choices[min(number, len(self.choices) - 1)]
        step = self.multiple_of
        return min(max(self.axis.min, -(-self.role[number] // step) * step), self.axis.max)

    @property
    def text(self) -> str:
        """The declaration as source."""
        if self.choices:
            return f"Axis(choices=({', '.join(map(str, self.choices))},))"
        step = f", multiple_of={self.multiple_of}" if self.multiple_of > 1 else ""
        return f"Axis({self.axis.min}, {self.axis.max}{step})"


_ROLES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"b|bs|bsz|batch.*|n_batch|nb", (1, 2, 3, 8, 256)),
    (r"(h|n_?|num_?)?(kv|hkv|kv_heads|n_kv_heads|num_kv_heads|num_key_value_heads)|hk", (1, 2, 2, 8, 64)),
    (r"h|hq|nh|heads|(n|num|q|attention)_.*heads?|n_head|nheads|num_attention_heads", (1, 4, 4, 32, 128)),
    (r"g|groups|.*num_groups|n_groups", (1, 2, 4, 8, 64)),
    (r"pos|start|offset", (1, 2, 3, 16, 64)),
    (r"kernel_size|k[hw]", (1, 3, 3, 3, 7)),
    (r"top_?k|(num|n)_experts", (1, 4, 8, 8, 256)),
    (r"s|t|l|sq|sk|skv|lq|lk|q_len|k_len|seq.*|tokens|.*_len|length|n_ctx", (1, 17, 33, 2048, 16384)),
    (r"k", (16, 40, 64, 4096, 16384)),
    (r"d|e|dh|dk|dv|hd|head_.*|d_head|d_k|d_v", (16, 32, 64, 128, 512)),
    (r"c|f|dim|hidden.*|d_model|channels|.*_dim|.*_size|.*_features|in_c.*|out_c.*", (16, 24, 64, 1024, 8192)),
    (r"v|vocab.*", (11, 101, 1000, 32000, 131072)),
    (r"w|width|height|hh|ww", (5, 8, 17, 128, 1024)),
    (r"m|rows?|n_rows", (1, 17, 64, 4096, 65536)),
    (r"n|cols?|n_cols|n_elements|numel", (17, 64, 781, 4096, 65536)),
)


def _role(name: str) -> tuple[int, ...]:
    for pattern, sizes in _ROLES:
        if re.fullmatch(pattern, name.lower().rstrip("0123456789")):
            return sizes
    return (1, 17, 64, 1024, 8192)


def cases(axes: list[AxisDraft], spec: Spec, most: int) -> tuple[list[dict[str, Value]], list[dict[str, Value]]]:
    """Three small cases and one for timing, all inside the domain; fewer where it leaves no more."""
    small = []
    for number in range(3):
        sizes = _repaired(axes, spec, _shrunk(axes, spec, {a.name: a.size(number) for a in axes}, most))
        if sizes not in small and fits(spec, sizes):
            small.append(sizes)
    rng = random.Random(0)
    for _ in range(200):
        if small:
            break
        drawn = domain.draw(spec, rng)
        if drawn is None:
            break
        named = {a.name: drawn[a.name] for a in axes}
        if fits(spec, named) and elements(spec, named) <= most:
            small.append(named)
    own: dict[str, Value] = {a.name: a.own for a in axes}
    if axes and all(own.values()) and fits(spec, own):
        return small, [own]
    large = _repaired(axes, spec, _shrunk(axes, spec, {a.name: a.size(3) for a in axes}, _LARGE))
    return small, [large] if axes and fits(spec, large) else []


def variants(spec: Spec, shown: list[Sizes], count: int, most: int) -> list[Sizes]:
    """So many other cases of the domain, near those that are shown; fewer where there are no more small ones."""
    rng = random.Random(0)
    near = dict(spec.axes)
    for name, axis in near.items():
        largest = max((int(case[name]) for case in shown), default=axis.min)
        if not axis.choices:
            near[name] = replace(axis, max=max(min(axis.max, max(2 * largest, 64)), axis.min))
    drawn: list[Sizes] = []
    for _ in range(50 * count):
        sizes = domain.draw(replace(spec, axes=near), rng, tries=20)
        if sizes is None or len(drawn) == count:
            break
        named = {name: sizes[name] for name in spec.axes}
        if named not in [*shown, *drawn] and fits(spec, named) and elements(spec, named) <= most:
            drawn.append(named)
    return drawn


def _repaired(axes: list[AxisDraft], spec: Spec, sizes: dict[str, Value]) -> dict[str, Value]:
    """Sizes moved up to what the relations `A % B == 0` and `A >= B` ask."""
    fixed = dict(sizes)
    for relation in (*spec.where, *spec.where):
        match = re.fullmatch(r"(\w+) (%|>=) (.+?)(?: == 0)?", relation)
        if match and match[1] in fixed:
            one, other = int(fixed[match[1]]), expr.integer(match[3], fixed)
            fixed[match[1]] = -(-one // other) * other if match[2] == "%" else max(one, other)
    return fixed if all(fixed[a.name] in a.axis for a in axes) else sizes


def fits(spec: Spec, sizes: dict[str, Value]) -> bool:
    """Whether a case lies in the domain and every shape of it is a real one."""
    try:
        full = domain.with_scalars(spec, sizes)
        return domain.holds(spec, sizes) and all(
            min(domain.shape(t.shape, full), default=1) >= 1 for t in spec.tensors.values()
        )
    except (expr.ExprError, ValueError):
        return False


def elements(spec: Spec, sizes: dict[str, Value]) -> int:
    """How many elements the inputs of a case have together."""
    full = domain.with_scalars(spec, sizes)
    return sum(math.prod(domain.shape(t.shape, full)) for t in spec.tensors.values())


def _shrunk(axes: list[AxisDraft], spec: Spec, sizes: dict[str, Value], most: int) -> dict[str, Value]:
    for _ in range(60):
        try:
            if elements(spec, sizes) <= most:
                break
        except (expr.ExprError, ValueError):
            break
        free = [a for a in axes if not a.choices and int(sizes[a.name]) > a.axis.min]
        if not free:
            break
        largest = max(free, key=lambda a: int(sizes[a.name]))
        half = int(sizes[largest.name]) // 2
        sizes[largest.name] = max(half // largest.multiple_of * largest.multiple_of, largest.axis.min)
    return sizes
