"""The steps of bench/gpu.py: each asks something of a device, and says what was measured and what it missed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_awake
import gpu_cheats
import gpu_variants

from geak.judge import Judge
from geak_evaluator.measure.lent import DeviceLost
from geak_evaluator.racing import NoRace, Out
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Level
from geak_evaluator.schema import domain
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.spec import Tensor
from geak_evaluator.schema.timing import EVERYTHING, Extras, State, Timing
from geak_evaluator.schema.verdict import Status
from geak_evaluator.tune.reading import Untunable, read
from geak_evaluator.tune.writing import written
from tests.gpu import checks
from tests.gpu.place import BARE, Missed, Place, starter

HERE = Path(__file__).parent
REPEATED = ("softmax", "matmul", "add_rms_norm", "transpose")
BESIDE = ("softmax", "silu_and_mul", "matmul")
"""Timed beside do_bench and the vendor's profiler as well."""
COMPILED = ("softmax", "add_rms_norm", "silu_and_mul", "matmul")
"""Timed beside torch.compile too, which takes longer to compile than all else of a step."""
HEAVY = (
    *("batched_matmul", "causal_conv1d", "embedding", "flash_attention", "kl_divergence", "linear_gelu"),
    *("masked_softmax", "paged_attention", "selective_scan"),
)
"""Timed after the others: their references keep the host busy for long."""
CHEATS = ("side_stream", "patched_events", "remembers", "skips_later", "sleeps_first")
PROOFS = 4
"""Steps over which the proofs of all kernels are spread."""
LONG_US, SAME = 100.0, 0.01
"""Two timings of one kernel agree within this share, where it takes longer than this."""
AGREES = (0.8, 1.25)
"""Between these lies our time over do_bench's, which flushes less and counts a wrapper."""
COUNTED = (0.8, 1.5)
"""The same over what a profiler counts of the launches alone: an event more to either side, and other clocks."""
FIRST_CHECKS, OTHER_CHECKS = list(checks.CHECKS)[:4], list(checks.CHECKS)[4:]
GAIN = 0.9
"""Below this share of the honest kernel's time a cheat has gained something."""
SECONDS = {
    "doctor": 10,
    "launch": 20,
    "repeat": 20,
    "cheat": 12,
    "check": 20,
    "do_bench": 15,
    "profiler": 40,
    "proof": 30,
    "kernel": 20,
    "full": 120,
    "variants": 20,
    **{f"kernel:{name}": 50 for name in COMPILED},
    **{f"kernel:{name}": 60 for name in HEAVY},
    "check:it_goes_on_after_a_hang": 45,
    "check:the_tuner_picks_what_is_faster_there": 90,
    "check:lines_that_persist": 10,
    "check:eager_and_compiled_torch_are_beside_it": 60,
}
"""What a step or a kind of steps is estimated to take."""


class NotHere(Exception):
    """A step cannot be done on this machine; the message says why."""


def expected(name: str) -> float:
    """The seconds that a step is estimated to take."""
    return float(SECONDS.get(name) or SECONDS.get(name.partition(":")[0], 0))


def kernels(specs: Path) -> list[str]:
    """The specs of a folder that have a kernel in its `kernels/`."""
    return [path.stem for path in sorted((specs / "kernels").glob("*.py"))]


class Steps:
    """What a device is asked: by a judge as it is served, and by our own clock on it where no verdict is needed."""

    def __init__(
        self, room: Judge, device: str, specs: Path, seconds: float, again: Callable[[], Judge] | None = None
    ) -> None:
        """`device` is a simulated one by its name, empty for the one that is here; `again` starts another judge."""
        self._room, self._device, self._specs, self._seconds = room, device, specs, seconds
        self._again, self._fresh = again, True
        self._without: tuple[str, ...] = ()
        self._process: subprocess.Popen[str] | None = None
        self._stack, self._ending = contextlib.ExitStack(), threading.Lock()
        self._opened: Place | None = None
        self._honest: Timing | None = None
        present = room.hello.present
        self._target = present[0] if present else "gfx942"

    @property
    def place(self) -> Place:
        """The device, in this process; nothing of it is touched but from children."""
        if self._opened is None:
            # Only what is in this checkout runs in it: where it does not hold, the doctor has said so.
            box = self._stack.enter_context(Sandbox(minimum=Level.BASE, without=self._without))
            found = Place.of(box, self._device, self._seconds)
            if found is None:
                raise NotHere("there is no GPU here that this user may open")
            self._opened = self._stack.enter_context(found)
        return self._opened

    @property
    def room(self) -> Judge:
        """The judge as it is served; another one where that has ended."""
        if not self._fresh and self._again is not None:
            self._room, self._fresh = self._again(), True
        return self._room

    def renew(self) -> None:
        """What a step left in trouble is of no use to the next: both judges are started anew when they are needed."""
        with self._ending:
            self._opened, self._honest, stack = None, None, self._stack
            self._stack = contextlib.ExitStack()
        with contextlib.suppress(Exception):  # whatever of it is left in trouble as well
            stack.close()
        if self._again is not None:
            self._fresh = False
            self._room.kill()
            self._room.close()

    def close(self) -> None:
        """Ends what it has started, once nobody else does."""
        with self._ending:
            self._stack.close()
        if self._again is not None:
            self._room.close()

    def end(self) -> None:
        """Ends whatever is asked now, from another thread."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self._room.kill()
        with self._ending:
            if self._opened is not None:
                self._opened.box.close()

    def doctor(self) -> dict[str, Any]:
        """The machine by the judge's own account; its sandbox must hold, and a kernel run in a child of it."""
        hello = self.room.hello
        missed = [f"sandbox {hello.sandbox}: {'; '.join((*hello.leaks, *hello.broken))}"] * (hello.sandbox == "base")
        missed += [f"{name}: {why}" for name, why in hello.missing.items()]
        launched = self.room.launched()
        missed += [f"nothing can be launched: {launched.trouble}"] * bool(launched.trouble)
        tried: dict[str, str] = {}
        if launched.trouble and not self._device:  # what stands in the way, and whether the rest can go on without it
            self._without, tried = gpu_awake.layers()
            missed[:0] = [f"{name} {what}" for name, what in tried.items() if self._without and "it runs" in what]
        said = [f"{gpu.name}, {gpu.arch}" for gpu in hello.gpus]
        found = {"sandbox": hello.sandbox, "gpus": said, "software": hello.software, "missed": missed}
        stop = bool(launched.trouble) and not self._without
        return found | {"launched": launched.device, "widened": launched.widened, "layers": tried, "stop": stop}

    def launch(self) -> dict[str, Any]:
        """A small kernel proved and timed by the judge as it is served: nothing less shows that a device is of use."""
        if self._without:
            return {"absent": "the judge as it is served launches nothing here: see doctor"}
        with tempfile.TemporaryDirectory() as folder:
            spec = Path(folder) / "double.py"
            spec.write_bytes(checks.SMALL.data)
            found = self._served(spec, checks.KERNEL, BARE)
        unproved = found.pop("unproved")
        missed = found["missed"] if unproved else []  # noise is no reason to stop
        return found | {"missed": missed, "stop": unproved}

    def full(self, name: str) -> dict[str, Any]:
        """A whole verdict as `geak eval --time` has it: every reference, calls, energy, and what a profiler counts."""
        found = self._served(self._specs / f"{name}.py", self._specs / "kernels" / f"{name}.py", EVERYTHING)
        found.pop("unproved")
        return found

    def proof(self, part: int) -> dict[str, Any]:
        """Every fourth kernel at a small size, interpreted and native; nothing is timed."""
        names = kernels(self._specs)[part - 1 :: PROOFS]
        missed = []
        for name in names:
            try:
                checks.agrees_with_the_interpreter(self.place, name, self._specs)
            except Missed as error:
                missed.append(f"{name}: {error}")
        return {"kernels": names, "missed": missed}

    def check(self, name: str) -> dict[str, Any]:
        """A check of tests/gpu, which a simulated device would pass for other reasons."""
        if self._device:
            return {"absent": "it is for a real device"}
        try:
            checks.CHECKS[name](self.place)
        except Missed as error:
            return {"missed": [str(error)]}
        return {"missed": []}

    def kernel(self, name: str) -> dict[str, Any]:
        """One starter kernel timed beside torch; a product's memory and peaks are bench/gpu_later.py's part."""
        references = ("eager", *["compile"] * (name in COMPILED))
        found = _figures(self._timed(name, extras=Extras(references, calls=False, energy=False, counters=False)))
        found["missed"] += self.place.remarks  # such as a reference that does not run
        return found

    def repeat(self, name: str) -> dict[str, Any]:
        """The same kernel by two processes, one after the other."""
        first, second = (_told(self._timed(name)).candidate_us for _ in range(2))
        off = abs(first - second) / min(first, second)
        wrong = [f"{first:.4g} and {second:.4g} us"] * (min(first, second) > LONG_US and off > SAME)
        return {"first_us": first, "second_us": second, "off": off, "missed": wrong}

    def do_bench(self, name: str) -> dict[str, Any]:
        """Our time and Triton's own, of the same kernel on the same sizes."""
        if self._device:
            return {"absent": "it is for a real device"}
        about = self.room.describe(self._specs / f"{name}.py")
        spec, case = about.spec, domain.expand(about.spec, about.spec.bench)[0]
        sizes = domain.with_scalars(spec, case.sizes)
        inputs = [
            [list(domain.shape(item.shape, sizes)), resolve(spec.format(item.dtype, sizes, self._target).name).torch]
            for item in spec.inputs.values()
            if isinstance(item, Tensor)
        ]
        asked = {"file": str(self._specs / "kernels" / f"{name}.py"), "entry": about.entry, "inputs": inputs}
        code, out, err = self._ran([sys.executable, str(HERE / "gpu_child.py"), json.dumps(asked)])
        if code:
            raise NotHere(f"do_bench: {(err.strip().splitlines() or ['it did not say why'])[-1]}")
        ours, theirs = _told(self._timed(name)).candidate_us, float(out)
        ratio = ours / theirs
        wrong = [f"{ours:.4g} us by us, {theirs:.4g} us by do_bench"] * (not AGREES[0] <= ratio <= AGREES[1])
        return {"us": ours, "do_bench_us": theirs, "ratio": ratio, "missed": wrong}

    def profiler(self, name: str) -> dict[str, Any]:
        """Our time and the duration that the vendor's profiler counts, of the same plan on the same sizes."""
        tool = "ncu" if self._target.startswith("sm_") else "rocprof"
        kernel = self._specs / "kernels" / f"{name}.py"
        found = self.room.profile(self._specs / f"{name}.py", kernel, target=self._target, tool=tool)
        counted = [metric.value for one in found.launches for metric in one.metrics if metric.name == "duration"]
        if found.trouble or len(counted) < max(len(found.launches), 1):
            return {"absent": found.trouble or f"{tool} counts no duration"}
        ours, theirs = _told(self._timed(name)).candidate_us, sum(counted)
        ratio = ours / theirs
        off = theirs > LONG_US and not COUNTED[0] <= ratio <= COUNTED[1]
        wrong = [f"{ours:.4g} us by us, {theirs:.4g} us by {tool}"] * off
        return {"us": ours, f"{tool}_us": theirs, "ratio": ratio, "launches": len(counted), "missed": wrong}

    def cheat(self, name: str) -> dict[str, Any]:
        """A softmax that cheats beside the honest one: refused, or no faster."""
        asked: dict[str, Any] = {"draws": 2, "extras": Extras((), calls=True, energy=False, counters=False)}
        file, honest = starter("softmax", self._specs)
        self._honest = self._honest or _told(self.place.timed(file, honest, **asked))
        before = {"honest_us": self._honest.candidate_us, "honest_call_us": self._honest.call_us}
        found = self.place.timed(file, gpu_cheats.cheating(name, honest.decode()).encode(), **asked)
        if found.state in (State.FAILED, State.BELOW_FLOOR):
            return before | {"refused": found.brief}
        after = _told(found).candidate_us
        wrong = [f"it is told {after:.4g} us, and the honest kernel {before['honest_us']:.4g} us"]
        wrong *= after < GAIN * before["honest_us"]
        return before | {"cheat_us": after, "call_us": found.call_us, "said": found.message, "missed": wrong}

    def variants(self, name: str, part: int = 1) -> dict[str, Any]:
        """Every fourth of the configurations of one kernel, from the `part`-th, each proved and timed alone."""
        file, source = starter(name, self._specs)
        try:
            space = read(source)
        except Untunable as error:
            raise NotHere(f"{name}: {error}") from None
        races = self.place.races(file)
        case = races.cases[0]
        found: list[dict[str, Any]] = []
        out: list[str] = []
        for values in gpu_variants.part(space, self._target, part):
            try:
                us = races.alone(written(space, values, self._target), [case])
            except Out as error:
                out.append(f"{error.cause}: {error}")
            except NoRace as error:
                raise NotHere(str(error)) from None
            else:
                found.append({"values": {k: v for k, v in values.items() if v is not None}, "us": us})
        missed = ["none of them was timed", *out] * bool(out and not found)
        return {"case": str(case), "variants": found, "out": out, "missed": missed}

    def _ran(self, argv: list[str]) -> tuple[int, str, str]:
        """A process of its own, with all that it starts; `end` ends it."""
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as self._process:
            out, err = self._process.communicate()
        code, self._process = self._process.returncode, None
        return code, out, err

    def _timed(self, name: str, extras: Extras = BARE) -> Timing:
        """One kernel's own time at the first size that its spec wants timed."""
        try:
            return self.place.timed(*starter(name, self._specs), extras=extras)
        except DeviceLost as error:
            raise NotHere(str(error)) from None

    def _served(self, spec: Path, kernel: Path | str, extras: Extras) -> dict[str, Any]:
        """A whole verdict with times."""
        asked: dict[str, Any] = {"targets": [self._target], "time": True, "seconds": self._seconds}
        verdict = self.room.evaluate(spec, kernel, extras=extras, **asked)
        failed = all(one.state is State.FAILED for one in verdict.timings)
        found = _figures(*verdict.timings) if verdict.timings else {"missed": ["nothing was timed"]}
        found["missed"] += [verdict.line()] * (verdict.status is not Status.ACCEPTED)
        counted = {one.kernel: len(one.metrics) for one in verdict.counters}
        said = {"verdict": verdict.line(), "how": verdict.how, "counted": counted, "notes": list(verdict.notes)}
        return found | said | {"unproved": failed or verdict.status is not Status.ACCEPTED}


def _told(timing: Timing) -> Timing:
    if timing.state is not State.MEASURED:
        raise NotHere(f"nothing was measured: {timing.brief}")
    return timing


def _figures(*timings: Timing) -> dict[str, Any]:
    """The first that was measured, with what it was held against."""
    result: dict[str, Any] = {"timings": [one.brief for one in timings]}
    result["missed"] = [one.brief for one in timings if one.state in (State.FAILED, State.BELOW_FLOOR)]
    told = [one for one in timings if one.state is State.MEASURED]
    if not told:
        return result | {"missed": result["timings"]}
    first = told[0]
    result |= {"case": str(first.case), "us": first.candidate_us}
    result |= {f"over_{one.baseline}": one.ratio for one in told if one.case == first.case and one.baseline}
    result |= {"call_us": first.call_us} if first.call_us else {}
    return result | ({"joules": first.joules} if first.joules is not None else {})
