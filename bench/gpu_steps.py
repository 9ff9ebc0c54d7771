"""The steps of bench/gpu.py: each asks the judge, and says what was measured and what it missed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from geak.judge import Judge
from geak_evaluator.estimate.devices import DEVICES
from geak_evaluator.schema import domain
from geak_evaluator.schema.dtypes import resolve
from geak_evaluator.schema.spec import Case, Tensor
from geak_evaluator.schema.timing import State, Timing
from geak_evaluator.schema.verdict import Status, Verdict
from geak_evaluator.tune.reading import Untunable, read
from geak_evaluator.tune.writing import written

HERE = Path(__file__).parent
REPEATED = ("softmax", "matmul", "add_rms_norm", "transpose")
BESIDE_PROFILER = ("softmax", "matmul", "silu_and_mul")
BESIDE_DO_BENCH = ("softmax", "matmul", "silu_and_mul")
CHEATS = ("side_stream", "patched_events", "remembers", "skips_later", "sleeps_first")
VARIED = (
    *("softmax", "matmul", "layer_norm", "rms_norm", "add_rms_norm", "row_sum", "transpose", "gelu_bias", "rope"),
    *("silu_and_mul", "cross_entropy", "log_softmax", "batched_matmul", "linear_gelu", "column_stats", "group_norm"),
    *("kl_divergence", "cumsum", "add_clamp", "embedding"),
)
MOST_VARIANTS, PARTS = 20, 4
TESTS = HERE.parent / "tests" / "gpu"
SAME, LONG_US = 0.01, 100.0
"""Two timings of one kernel agree within this share, where it takes longer than this."""
AGREES = (0.8, 1.25)
"""Between these lies our time over do_bench's, which flushes less and counts a wrapper."""
COUNTED = (0.8, 1.5)
"""The same over what a profiler counts of the launches alone: an event more to either side, and other clocks."""
GAIN = 0.9
"""Below this share of the honest kernel's time a cheat has gained something."""


class NotHere(Exception):
    """A step cannot be done on this machine; the message says why."""


def kernels(specs: Path) -> list[str]:
    """The specs of a folder that have a kernel in its `kernels/`."""
    return [path.stem for path in sorted((specs / "kernels").glob("*.py"))]


def tests() -> list[str]:
    """The tests that only a device can pass."""
    return [
        name
        for file in sorted(TESTS.glob("test_*.py"))
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    ]


class Steps:
    """What a judge with a device is asked."""

    def __init__(self, room: Judge, start: list[str], specs: Path, seconds: float) -> None:
        """`start` is how another judge like this one is started."""
        self._room, self._start, self._specs, self._seconds = room, start, specs, seconds
        self._other: Judge | None = None
        self._process: subprocess.Popen[str] | None = None
        present = room.hello.present
        self._target = present[0] if present else "gfx942"

    def end(self) -> None:
        """Ends whatever is asked now, from another thread."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for room in (self._other, self._room):
            if room is not None:
                room.kill()

    def doctor(self) -> dict[str, Any]:
        """The machine by the judge's own account; its sandbox must hold, and a kernel run in a child of it."""
        hello = self._room.hello
        missed = [f"sandbox {hello.sandbox}: {'; '.join((*hello.leaks, *hello.broken))}"] * (hello.sandbox == "base")
        missed += [f"{name}: {why}" for name, why in hello.missing.items()]
        launched = self._room.launched()
        missed += [f"nothing can be launched: {launched.trouble}"] * bool(launched.trouble)
        said = [f"{gpu.name}, {gpu.arch}" for gpu in hello.gpus]
        found = {"sandbox": hello.sandbox, "gpus": said, "software": hello.software, "missed": missed}
        return found | {"launched": launched.device, "widened": launched.widened}

    def launch(self) -> dict[str, Any]:
        """A kernel launched in a confined child: nothing less shows that the device can be reached from there."""
        verdict = self._timed(kernels(self._specs)[0])
        worked = verdict.status is Status.ACCEPTED and any(one.state is not State.FAILED for one in verdict.timings)
        found = self._figures(verdict) | {"how": verdict.how}
        return found | {"missed": [] if worked else found["missed"]}  # too noisy a time is no reason to try nothing

    def repeat(self, name: str) -> dict[str, Any]:
        """The same kernel by two judges, one after the other."""
        times = []
        for _ in range(2):
            with Judge(self._start) as room:
                self._other = room
                times.append(_shortest(self._timed(name, room=room)).candidate_us)
        off = abs(times[0] - times[1]) / min(times)
        wrong = [f"{times[0]:.4g} and {times[1]:.4g} us"] * (min(times) > LONG_US and off > SAME)
        return {"first_us": times[0], "second_us": times[1], "off": off, "missed": wrong}

    def do_bench(self, name: str) -> dict[str, Any]:
        """Our time and Triton's own, of the same kernel on the same sizes."""
        if "--device" in self._start:
            return {"absent": "it is for a real device"}
        about = self._room.describe(self._specs / f"{name}.py")
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
            raise NotHere(f"do_bench: {_last(err)}")
        theirs = float(out)
        ours = next(one for one in self._timed(name).timings if one.case == case).candidate_us
        ratio = ours / theirs
        wrong = [f"{ours:.4g} us by us, {theirs:.4g} us by do_bench"] * (not AGREES[0] <= ratio <= AGREES[1])
        return {"us": ours, "do_bench_us": theirs, "ratio": ratio, "missed": wrong}

    def profiler(self, name: str) -> dict[str, Any]:
        """Our time and the duration that the vendor's profiler counts, of the same plan on the same sizes."""
        tool = "ncu" if self._target.startswith("sm_") else "rocprof"
        kernel = self._specs / "kernels" / f"{name}.py"
        found = self._room.profile(self._specs / f"{name}.py", kernel, target=self._target, tool=tool)
        counted = [metric.value for one in found.launches for metric in one.metrics if metric.name == "duration"]
        if found.trouble or len(counted) < max(len(found.launches), 1):
            return {"absent": found.trouble or f"{tool} counts no duration"}
        theirs = sum(counted)
        ours = next(one for one in self._timed(name).timings if one.case == found.case).candidate_us
        ratio = ours / theirs
        off = theirs > LONG_US and not COUNTED[0] <= ratio <= COUNTED[1]
        wrong = [f"{ours:.4g} us by us, {theirs:.4g} us by {tool}"] * off
        return {"us": ours, f"{tool}_us": theirs, "ratio": ratio, "launches": len(counted), "missed": wrong}

    def test(self, name: str) -> dict[str, Any]:
        """A test of tests/gpu, in a process of its own."""
        if importlib.util.find_spec("pytest") is None:
            return {"absent": "pytest is not installed here"}
        if "--device" in self._start:
            return {"absent": "it is for a real device"}
        file = next(one for one in sorted(TESTS.glob("test_*.py")) if f"def {name}(" in one.read_text())
        argv = [sys.executable, "-m", "pytest", "-m", "gpu and not api", "-q", "-p", "no:cacheprovider", "-rs"]
        code, out, err = self._ran([*argv, f"{file}::{name}"])
        wrong = [line for line in out.splitlines() if line.startswith(("FAILED", "ERROR"))] or [_last(out or err)]
        return {"said": _last(out), "missed": wrong if code else []}

    def cheat(self, name: str) -> dict[str, Any]:
        """A softmax that cheats beside the honest one: refused, or no faster."""
        import gpu_cheats

        honest = (self._specs / "kernels" / "softmax.py").read_text()
        before = _shortest(self._timed("softmax")).candidate_us
        verdict = self._timed("softmax", gpu_cheats.cheating(name, honest))
        told = [one for one in verdict.timings if one.state is State.MEASURED]
        if verdict.status is not Status.ACCEPTED or not told:
            return {"refused": verdict.line(), "honest_us": before}
        after = min(one.candidate_us for one in told)
        wrong = [f"it is told {after:.4g} us, and the honest kernel {before:.4g} us"] * (after < GAIN * before)
        return {"honest_us": before, "cheat_us": after, "missed": wrong}

    def kernel(self, name: str) -> dict[str, Any]:
        """Everything of one starter kernel."""
        return self._figures(self._timed(name))

    def variants(self, name: str, part: int = 1) -> dict[str, Any]:
        """Every fourth of the configurations of one kernel, from the `part`-th, each timed and estimated."""
        source = (self._specs / "kernels" / f"{name}.py").read_bytes()
        try:
            space = read(source)
        except Untunable as error:
            raise NotHere(f"{name}: {error}") from None
        tried: list[dict[str, Any]] = [space.present, *space.starts(self._target)]
        for knob, known in space.knobs.items():
            tried += [{**space.present, knob: value} for value in known.known]
        found = []
        admitted = [one for n, one in enumerate(tried) if one not in tried[:n] and space.admits(one)]
        for values in admitted[:MOST_VARIANTS][part - 1 :: PARTS]:
            verdict = self._timed(
                name, written(space, values, self._target).decode(), seconds=max(3.0, 0.3 * self._seconds)
            )
            if verdict.status is Status.ACCEPTED and any(one.counts for one in verdict.timings):
                found.append({"values": {k: v for k, v in values.items() if v is not None}, **self._figures(verdict)})
        pairs = [(one["us"], one["estimated_us"]) for one in found if one.get("estimated_us")]
        ordered = [(a[0] - b[0]) * (a[1] - b[1]) > 0 for n, a in enumerate(pairs) for b in pairs[:n] if _apart(a, b)]
        missed = [] if found else ["none of them was timed"] * bool(admitted[:MOST_VARIANTS][part - 1 :: PARTS])
        return {"variants": found, "pairs": len(ordered), "in_order": sum(ordered), "missed": missed}

    def _ran(self, argv: list[str]) -> tuple[int, str, str]:
        """A process of its own, with all that it starts; `end` ends it."""
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as self._process:
            out, err = self._process.communicate()
        code, self._process = self._process.returncode, None
        return code, out, err

    def _timed(
        self, name: str, source: str | None = None, *, room: Judge | None = None, seconds: float = 0.0
    ) -> Verdict:
        kernel = source if source is not None else self._specs / "kernels" / f"{name}.py"
        asked: dict[str, Any] = {"targets": [self._target], "time": True, "seconds": seconds or self._seconds}
        return (room or self._room).evaluate(self._specs / f"{name}.py", kernel, **asked)

    def _figures(self, verdict: Verdict) -> dict[str, Any]:
        """Times beside baselines, and shares of what the device's data sheet says."""
        missed = [] if verdict.status is Status.ACCEPTED else [verdict.line()]
        missed += [one.brief for one in verdict.timings if one.state in (State.FAILED, State.BELOW_FLOOR)]
        told = [one for one in verdict.timings if one.state is State.MEASURED]
        result: dict[str, Any] = {"verdict": verdict.line(), "timings": [one.brief for one in verdict.timings]}
        if not told:
            why = [one.brief for one in verdict.timings] or ["nothing was timed"]
            return result | {"missed": missed or why}
        first = told[0]
        result |= {"case": str(first.case), "us": first.candidate_us, "missed": missed}
        result |= {f"over_{one.baseline}": one.ratio for one in told if one.case == first.case and one.baseline}
        if first.joules is not None:
            result["joules"] = first.joules
        return result | self._shares(verdict, first.case, first.candidate_us)

    def _shares(self, verdict: Verdict, case: Case, us: float) -> dict[str, float]:
        estimate = next((one for one in verdict.estimates if one.case == case and not one.trouble), None)
        if estimate is None:
            return {}
        device, works = DEVICES[self._target], [part.work for part in estimate.parts if part.work is not None]
        moved = sum(work.read.unique + work.written.unique for work in works)
        products = sum(
            count / (1e6 * device.matrix.get(format, device.matrix["fp16"]))
            for work in works
            for format, count in work.dots.items()
        )
        shares = {"of_memory": moved / 1e3 / device.memory / us, "of_matrix": products / us}
        return {"estimated_us": estimate.us, **{name: share for name, share in shares.items() if share}}


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it did not say why"])[-1]


def _shortest(verdict: Verdict) -> Timing:
    told = [one for one in verdict.timings if one.state is State.MEASURED]
    if not told:
        raise NotHere(f"nothing was measured: {verdict.line()}")
    return min(told, key=lambda one: one.candidate_us)


def _apart(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return max(a[0], b[0]) > 1.1 * min(a[0], b[0])
