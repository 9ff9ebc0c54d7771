"""The gate: each kernel of `kernels/` against the spec of its name, for the GPUs that we ship to."""

from pathlib import Path

import pytest

import geak

HERE = Path(__file__).parent
TARGETS = ("gfx942", "sm_90")


@pytest.mark.parametrize("kernel", sorted((HERE / "kernels").glob("*.py")), ids=lambda path: path.stem)
def test_kernel(kernel: Path) -> None:
    verdict = geak.evaluate(HERE / "specs" / kernel.name, kernel, target=TARGETS)
    assert verdict.status == "accepted", "\n".join([verdict.line(), *verdict.details()])
    for code in verdict.code:
        assert not any(figures.spills for figures in code.kernels), f"registers spill on {code.brief}"
