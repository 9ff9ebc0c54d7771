"""Broken variants of every starter kernel: faults that are easily made, each as the one place that differs."""

from tests.starter.variants import (
    attention,
    elementwise,
    fused,
    matmuls,
    moves,
    norms,
    quantised,
    reductions,
    searches,
    softmaxes,
)
from tests.starter.variants.variant import Variant

_MODULES = (elementwise, moves, norms, softmaxes, reductions, searches, matmuls, fused, attention, quantised)

VARIANTS: dict[str, tuple[Variant, ...]] = {name: some for part in _MODULES for name, some in part.VARIANTS.items()}
