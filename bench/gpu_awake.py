"""Before the first step of bench/gpu.py, and where it misses: the device awake, and what keeps a child from it."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from geak_evaluator.measure import present
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.sandbox.policy import LAYERS, Level, Limits
from geak_evaluator.schema.measuring import Metal

_SIGNS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd")
_PATIENCE_S = 180.0
_AWAKE = """
import sys, time
began = time.monotonic()
import torch
loaded = time.monotonic()
torch.cuda.init()
right = int(torch.ones(1 << 20, device="cuda").sum()) == 1 << 20
there = time.monotonic()
properties = torch.cuda.get_device_properties(0)
print(f"{properties.name}, torch {torch.__version__} in {loaded - began:.1f} s, "
      f"a context in {there - loaded:.1f} s{'' if right else ', and it cannot add'}", flush=True)
from geak_evaluator.measure.metal import sensors
if not sensors.of(properties, hip=bool(torch.version.hip)).exclusive():
    sys.stdin.read()
"""


@contextlib.contextmanager
def awake(program: str = _AWAKE, signs: tuple[str, ...] = _SIGNS) -> Iterator[str]:
    """A process of ours with a context on the device and no sandbox around it; gives what it says of the device.

    A driver makes some of its files when root first uses it, and may put a device to sleep that nobody has open: each
    child would wait for it, and find its clocks low. A device for one process at a time is let go again.
    """
    if not any(Path(sign).exists() for sign in signs):
        yield ""
        return
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], _PATIENCE_S)
            said = process.stdout.readline().strip() if ready else ""
            if not said:
                process.kill()
                told = process.communicate()[1].strip().splitlines()
                said = f"no: {told[-1] if told else f'nothing was said in {_PATIENCE_S:.0f} s'}"
            yield said
        finally:
            process.kill()


def layers(metal: Metal | None = None) -> tuple[tuple[str, ...], dict[str, str]]:
    """Without which layers of the sandbox a child can launch, the fewest first, and what came of each try."""
    found, said = metal or present.first(), dict[str, str]()
    if found is None:
        return (), said
    for without in (*((layer,) for layer in LAYERS), ("uid", "landlock"), LAYERS):
        name = f"without {' and '.join(without)}"
        try:
            with Sandbox(minimum=Level.BASE, without=without) as box:
                said[name] = f"it runs on {Lent(box, found, Limits(120)).identity.name}"
        except (DeviceLost, SandboxError, OSError) as error:
            said[name] = str(error)
        else:
            return without, said
    return (), said
