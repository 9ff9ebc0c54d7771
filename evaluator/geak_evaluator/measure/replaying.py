"""`python -m geak_evaluator replay FOLDER`: a plan on disk carried out so many times, and nothing else.

It is what runs under a profiler, which must start the process itself, so that it cannot be a child of the sandbox. It
takes from the candidate's file what every replay takes, kernels alone, and confines itself to its folder and its
device before it reads them; only the sockets that profilers speak through stay open to it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geak_evaluator.measure import devices, energy, planfile
from geak_evaluator.measure.profile.proton import SCOPE
from geak_evaluator.measure.profile.tool import REPLAY_WORDS
from geak_evaluator.sandbox import landlock, policy
from geak_evaluator.sandbox.syscalls import PR_SET_NO_NEW_PRIVS, prctl
from geak_evaluator.schema import codec, plan
from geak_evaluator.schema.energy import Energy

if TYPE_CHECKING:
    from geak_evaluator.measure.metal import Metal
    from geak_evaluator.measure.metal.runner import Place

_BATCH = 32
"""Calls between two looks at the clock, where they are to go on for some seconds."""
_TEMPORARY = ("/tmp", "/dev/shm", "/var/tmp")
"""Where profilers keep their locks, and pass on what they count."""
_NODES = ("/dev/kfd", "/dev/dri", "/dev/shm")
_PROFILERS = ("/opt/nvidia",)
"""What a driver loads of a profiler when it starts lies there, and beside its program."""


def main(argv: Sequence[str] | None = None) -> int:
    """Carries a plan out; 3 and a sentence where this machine cannot."""
    parser = argparse.ArgumentParser(prog="python -m geak_evaluator replay", description="Carry out a plan.")
    parser.add_argument("folder", type=Path, help="a folder with a plan, as the judge writes it")
    parser.add_argument("--times", type=int, default=1, help="how often")
    parser.add_argument("--seconds", type=float, default=0.0, help="go on for so long instead, and measure energy")
    parser.add_argument("--proton", type=Path, help="count with Triton's profiler, into this file")
    parser.add_argument("--report", type=Path, help="a folder that a profiler has this process write into")
    parser.add_argument("--device", choices=("torch", "simulated"), default="torch", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    try:
        return _replay(options)
    except (OSError, ValueError, ImportError) as error:
        return _cannot(f"the plan in {options.folder} cannot be replayed: {error}")


def _replay(options: argparse.Namespace) -> int:
    about, source, values = planfile.read(options.folder)
    folder = options.folder.resolve()
    written = [*([options.proton.parent] if options.proton else []), *([options.report] if options.report else [])]
    _confine(folder, [place.resolve() for place in written])

    import triton

    from geak_evaluator.children import jit_only
    from geak_evaluator.measure.metal import open_metal
    from geak_evaluator.measure.metal.child import device_trouble
    from geak_evaluator.measure.metal.runner import Place, needed
    from geak_evaluator.schema.measuring import Prepare

    print(f"triton {triton.__version__}", flush=True)
    try:
        kernels = jit_only.take(source, "kernel", folder, about.project)
        settings: dict[str, Any] = {"target": about.target} if options.device == "simulated" else {}
        metal = open_metal(options.device, _visible(), settings)
        if metal.identity.target != about.target:
            return _cannot(f"the device is {metal.identity.name}, and the plan was recorded for {about.target}")
        asked = Prepare(about.slots, (), about.destination, about.plan)
        wanted, free = needed(asked), metal.free()
        if wanted > free:
            return _cannot(f"the case does not fit: it needs {_mib(wanted)}, and the device has {_mib(free)} left")
        place = Place(metal, asked)
        _fill(place, about, values)

        once = _carrying_out(about.plan, place, kernels)

        with metal.launching():
            once()  # whatever has to be compiled is compiled now
            metal.synchronize()
            if options.seconds:
                print(codec.dumps(run_for(metal, once, _watcher(options.device), options.seconds)), flush=True)
            elif options.proton:
                _under_proton(metal, once, options.proton, options.times)
            else:
                for _ in range(options.times):
                    once()
                metal.synchronize()
    except (energy.NoSensor, energy.TooShort) as error:
        return _cannot(str(error))
    except Exception as error:
        return _cannot(device_trouble(error).message)
    return 0


def _carrying_out(asked: plan.Plan, place: Place, kernels: Any) -> Callable[..., None]:
    """All steps once, ready to be called; each launch in a scope by its number, where one is given."""
    from geak_evaluator.children import steps

    made = steps.all_ready(asked, place, kernels)
    launches = itertools.count()
    named = [(f"{SCOPE}{next(launches)}" if isinstance(step, plan.Launch) else "", run) for step, run in made]

    def once(scope: Callable[[str], AbstractContextManager[object]] | None = None) -> None:
        for name, run in named:
            with scope(name) if scope and name else contextlib.nullcontext():
                run()

    return once


def _under_proton(metal: Metal, once: Callable[..., None], out: Path, times: int) -> None:
    import triton.profiler as proton

    session = proton.start(str(out), context="shadow", data="tree")
    for _ in range(times):
        once(proton.scope)
    metal.synchronize()
    proton.finalize(session)


def run_for(metal: Metal, once: Callable[[], None], watcher: energy.Watcher, seconds: float) -> Energy:
    """Calls without a pause for so many seconds, or as many as the sensor needs; what one of them costs."""
    calls, until = 0, time.monotonic() + max(seconds, watcher.enough_s)
    watcher.start()
    while time.monotonic() < until:
        for _ in range(_BATCH):
            once()
        metal.synchronize()
        calls += _BATCH
    return watcher.energy(calls)


def _watcher(device: str) -> energy.Watcher:
    found = devices.visible(devices.gpus()) if device == "torch" else ()
    if not found:
        raise energy.NoSensor("a simulated device draws no power")
    return energy.observer(found[0])


def _fill(place: Place, about: planfile.PlanFile, values: bytes) -> None:
    """The values that steer, as the judge has them; of floats any that are ordinary."""
    import torch

    from geak_evaluator.schema.dtypes import resolve

    torch.manual_seed(0)
    given = {one.slot: values[one.begin : one.end] for one in about.steering}
    for number, slot in enumerate(about.slots):
        _, memory = place.given[number]
        if number in given:
            memory[: slot.bytes].copy_(torch.frombuffer(bytearray(given[number]), dtype=torch.uint8))
        elif slot.bytes and resolve(slot.format).kind == "float":
            tensor = place.input(number)
            tensor.copy_(torch.randn(slot.shape, dtype=torch.float32, device=tensor.device))
    place.poison()


def _visible() -> str:
    return os.environ.get("ROCR_VISIBLE_DEVICES") or os.environ.get("CUDA_VISIBLE_DEVICES") or "0"


def _confine(folder: Path, out: Sequence[Path]) -> None:
    """No other file can be written from here on, and none read but libraries; kernels are loaded after this."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    nodes = (*_NODES, *map(str, Path("/dev").glob("nvidia*")))
    write = (str(folder), *map(str, out), *_TEMPORARY, os.path.realpath("/proc/self/task"))
    ncu = shutil.which("ncu")
    tools = (*_PROFILERS, *([os.path.dirname(os.path.realpath(ncu))] if ncu else []))
    read = (*policy.default_read(), *policy.device_read(), *tools, "/proc/self", "/sys", "/etc", str(folder))
    if not landlock.restrict(read, write, (*policy.DEVICES, *nodes), sockets=True):
        raise OSError("this machine has no Landlock (Linux 5.13), and nothing else confines a replay under a profiler")


def _mib(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"


def _cannot(why: str) -> int:
    print(f"{REPLAY_WORDS}{' '.join(why.split())}", file=sys.stderr, flush=True)
    return 3
