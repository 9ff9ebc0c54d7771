"""What a product's data sheet says, by the name that its driver gives it."""

from __future__ import annotations

import pytest

from geak_evaluator.measure import floor
from geak_evaluator.measure.profile.reading import roofline
from geak_evaluator.schema.estimate import Traffic, Work
from geak_evaluator.schema.profile import Counters, Metric


@pytest.mark.parametrize(
    ("product", "target", "rate"),
    [
        ("NVIDIA H200", "sm_90", 4800),
        ("NVIDIA H200 NVL", "sm_90", 4800),
        ("NVIDIA GH200 480GB", "sm_90", 4000),
        ("NVIDIA GH200 144G HBM3e", "sm_90", 4900),
        ("NVIDIA H100 80GB HBM3", "sm_90", 3350),
        ("NVIDIA H100 PCIe", "sm_90", 2039),
        ("AMD Instinct MI300X", "gfx942", 5300),
        ("AMD Instinct MI325X", "gfx942", 6000),
    ],
)
def test_the_memory_of_a_product(product: str, target: str, rate: float) -> None:
    assert floor.bandwidth(target, product) == rate


def test_a_roof_is_the_products_own() -> None:
    """At an H100's rate a copy on an H200 would reach 143 % of what there is."""
    moved = Traffic(unique=2.4e9)
    work = Work("copy", traced=1, grid=(1000, 1, 1), read=moved, written=moved)
    known = Counters("copy", 0, (Metric("duration", 1000.0, "us", "ncu", ""),))
    reached = {name: roofline(known, "sm_90", work, name) for name in ("NVIDIA H200", "NVIDIA H100 80GB HBM3")}
    assert [round(one.of_memory, 2) for one in reached.values() if one is not None] == [1.0, 1.43]
