"""Whether a device works at all: a known sum by a kernel of ours, in a process of its own, within a time."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from geak_evaluator.measure import devices, planfile
from geak_evaluator.measure.profile.tool import Unavailable, run, sentence
from geak_evaluator.schema.device import Gpu

SECONDS = 120.0
_SUM = """
import torch
numbers = torch.arange(1 << 20, device="cuda", dtype=torch.int64)
total = int(numbers.sum().item())
torch.cuda.synchronize()
print("sum", total, "of", sum(range(1 << 20)))
"""


def fault(gpu: Gpu, *, program: str = _SUM, seconds: float = SECONDS) -> str:
    """What is wrong with a device, in words; nothing where it computes as it should."""
    with tempfile.TemporaryDirectory(prefix="geak-fit-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        environment = devices.alone(gpu, planfile.environment(folder))
        try:
            ran = run([sys.executable, "-P", "-c", program], folder, environment, seconds)
        except Unavailable as error:
            return str(error)
    words = ran.out.split()
    if ran.code or len(words) != 4:
        return sentence(ran, "the test of it")
    return "" if words[1] == words[3] else f"it adds numbers up to {words[1]} whose sum is {words[3]}"
