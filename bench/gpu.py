"""What a GPU says of this judge: proofs, the clock, cheats, estimates on hardware, in steps that can be gone on with.

    python bench/gpu.py [--shard I/N] [--minutes 8] [--device simulated:gfx942]

Each step's result is written as soon as it is there, to bench/results/gpu-DEVICE-DATE[-IofN].json; the same command
again leaves out what is done. With `--shard` a machine does every N-th step, and the N files together are the whole.

* `doctor`           what the judge says of the machine; the sandbox's self-test; a real launch in a confined child
* `launch`           a starter kernel proved and timed
* `repeat:NAME`      one kernel timed twice by judges of their own; above 100 us they agree within 1 %
* `do_bench:NAME`    the clock beside triton.testing.do_bench
* `profiler:NAME`    the clock beside the durations that ncu or rocprofv3 counts, where it is there and may count
* `cheat:NAME`       a kernel that cheats the clock gains nothing, or is refused
* `test:NAME`        a test of tests/gpu, where pytest is there
* `kernel:NAME`      a starter kernel under the full tier, native beside interpreted, timed beside eager and compile,
                     with its share of the memory's bandwidth and of the matrix units' rate
* `variants:NAME:K`  up to 20 configurations of one kernel in four parts, each timed: the ground of the estimate

When the minutes are over, the step that runs is ended, and is the first of the next time; one that had nearly all of
the time and did not finish counts as missed. Where something is not there (ncu, pytest), a step says `absent`.

Exit codes: 0 every step of the shard is there, 1 a step missed what it promises, 3 there is no GPU here, 4 the minutes
are over and steps are left: run it again.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpu_steps
import record

from geak.errors import GeakError
from geak.judge import Judge, command
from geak.specs import shipped
from geak_evaluator.measure.devices import VARIABLES, gpus, visible

Result = dict[str, Any]


@dataclass
class Shard:
    """The results of one shard, on disk after each step."""

    path: Path
    known: dict[str, Any]

    @classmethod
    def of(cls, folder: Path, device: str, number: int, count: int) -> Shard:
        """The one that is there already for this device and these versions, or a new one."""
        name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
        part = f"-{number}of{count}" if count > 1 else ""
        facts = record.facts()
        for path in sorted(folder.glob(f"gpu-{name}-*{part}.json"), reverse=True):
            known = json.loads(path.read_text())
            if [known.get(word) for word in ("torch", "triton", "geak")] == [
                facts[word] for word in ("torch", "triton", "geak")
            ] and known.get("shard") == [number, count]:
                return cls(path, known)
        date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
        known = {"device": device, "shard": [number, count], **facts, "steps": {}}
        return cls(folder / f"gpu-{name}-{date}{part}.json", known)

    def put(self, name: str, result: Result) -> None:
        """Keeps a result, whatever happens next."""
        self.known["steps"][name] = result
        self.write()

    def write(self) -> None:
        """All that is known, whole or not at all."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self.known, indent=2) + "\n")
        fresh.replace(self.path)


def steps(made: gpu_steps.Steps, names: list[str]) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Every step by name, for the kernels of these names."""
    yield "doctor", made.doctor
    yield "launch", made.launch
    for name in (one for one in gpu_steps.REPEATED if one in names):
        yield f"repeat:{name}", lambda name=name: made.repeat(name)  # type: ignore[misc]
    for name in (one for one in gpu_steps.BESIDE_DO_BENCH if one in names):
        yield f"do_bench:{name}", lambda name=name: made.do_bench(name)  # type: ignore[misc]
    for name in (one for one in gpu_steps.BESIDE_PROFILER if one in names):
        yield f"profiler:{name}", lambda name=name: made.profiler(name)  # type: ignore[misc]
    for name in gpu_steps.CHEATS if "softmax" in names else ():
        yield f"cheat:{name}", lambda name=name: made.cheat(name)  # type: ignore[misc]
    for name in gpu_steps.tests():
        yield f"test:{name}", lambda name=name: made.test(name)  # type: ignore[misc]
    for name in names:
        yield f"kernel:{name}", lambda name=name: made.kernel(name)  # type: ignore[misc]
    for name in (one for one in gpu_steps.VARIED if one in names):
        for part in range(1, gpu_steps.PARTS + 1):
            yield f"variants:{name}:{part}", lambda name=name, part=part: made.variants(name, part)  # type: ignore[misc]


ALWAYS = ("doctor", "launch")
"""What every shard does first, whichever it is."""
_LEAST_S = 120.0
"""What these may take at the least, however little time there is."""


@contextlib.contextmanager
def unwatched(left: float) -> Iterator[list[bool]]:
    """Ends nothing."""
    yield []


@contextlib.contextmanager
def watched(made: gpu_steps.Steps, left: float) -> Iterator[list[bool]]:
    """Ends all that a step has asked when the time is over, and then says so."""
    ended: list[bool] = []

    def end() -> None:
        ended.append(True)
        made.end()

    timer = threading.Timer(left, end)
    timer.daemon = True
    timer.start()
    try:
        yield ended
    finally:
        timer.cancel()


_NEARLY_ALL = 0.75
"""Of the time there is: a step that had so much and did not finish will not the next time either."""


def work(
    shard: Shard,
    todo: list[tuple[str, Callable[[], Result]]],
    until: float,
    *,
    seconds: float = 0.0,
    watch: Callable[[float], AbstractContextManager[list[bool]]] = unwatched,
) -> int:
    """Step after step until all are there or the time is over; a step that goes wrong spoils no other.

    `seconds` is the time there was in all; `watch` ends whatever a step has asked when that is over, and says so.
    """
    cut: list[str] = shard.known.setdefault("unfinished", [])
    left = 0
    for name, step in sorted(todo, key=lambda one: (one[0] not in ALWAYS, one[0] not in cut)):
        if name in shard.known["steps"]:
            continue
        if time.monotonic() > until and name not in ALWAYS:
            left += 1
            continue
        begun = time.monotonic()
        with watch(max(until - begun, _LEAST_S if name in ALWAYS else 0.0)) as ended:
            try:
                result = step()
            except (GeakError, gpu_steps.NotHere) as error:
                result = {"missed": [str(error)]}
        result["seconds"] = round(time.monotonic() - begun, 1)
        if ended:
            if result["seconds"] < _NEARLY_ALL * seconds:
                cut[:] = dict.fromkeys([name, *cut])
                shard.write()
                left += 1
                continue
            words = f"it did not finish in {result['seconds']:.0f} s"
            result = {"missed": [words], "seconds": result["seconds"]}
        cut[:] = [one for one in cut if one != name]
        shard.put(name, result)
        print(line(name, result), flush=True)
        if name in ALWAYS and result.get("missed"):
            print("nothing else is tried before that is mended", file=sys.stderr)
            return 1
    missed = [name for name, result in shard.known["steps"].items() if result.get("missed")]
    done = len(shard.known["steps"])
    print(f"{shard.path}: {done} steps done, {left} left{f', missed: {chr(44).join(missed)}' if missed else ''}")
    return 4 if left else 1 if missed else 0


def line(name: str, result: Result) -> str:
    """A step as a person reads it."""
    said = ", ".join(f"{key} {value:.4g}" for key, value in result.items() if isinstance(value, float))
    word = "MISSED" if result.get("missed") else "absent" if "absent" in result else "ok"
    return f"{word:<7}{name:<28} {'; '.join(result.get('missed', ())) or result.get('absent') or said}"


def shard_of(text: str) -> tuple[int, int]:
    """I/N as two numbers."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no I/N with I from 1 to N")
    return int(match[1]), int(match[2])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shard", type=shard_of, default=(1, 1), metavar="I/N", help="every N-th step, from the I-th")
    parser.add_argument("--minutes", type=float, default=8.0, help="begin no step after so long")
    parser.add_argument("--device", default="", metavar="simulated:TARGET", help="try it without a GPU")
    parser.add_argument("--specs", type=Path, default=shipped(), help="a folder of specs, with kernels/")
    parser.add_argument("--seconds", type=float, default=10.0, help="the most for one case beside one baseline")
    parser.add_argument("--only", default="", metavar="REGEX", help="only steps whose name matches")
    parser.add_argument("--out", type=Path, default=record.RESULTS, help="where results go")
    options = parser.parse_args(argv)
    until = time.monotonic() + 60 * options.minutes
    there = [gpu for gpu in visible(gpus()) if gpu.usable and gpu.target]
    if not options.device and not there:
        variables = ", ".join(VARIABLES)
        print(f"there is no GPU here that this user may open, and that {variables} leave", file=sys.stderr)
        return 3
    start = [*command(), *(["--device", options.device] if options.device else [])]
    with Judge(start) as room:
        device = options.device.replace(":", " ") or there[0].name
        number, count = options.shard
        made = gpu_steps.Steps(room, start, options.specs, options.seconds)
        every = [one for one in steps(made, gpu_steps.kernels(options.specs)) if re.search(options.only, one[0])]
        first = [one for one in every if one[0] in ALWAYS]
        rest = [one for one in every if one[0] not in ALWAYS][number - 1 :: count]
        shard, seconds = Shard.of(options.out, device, number, count), 60 * options.minutes
        return work(shard, [*first, *rest], until, seconds=seconds, watch=lambda left: watched(made, left))


if __name__ == "__main__":
    sys.exit(main())
