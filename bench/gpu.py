"""What a GPU says of this judge: proofs, the clock, cheats, estimates on hardware, in steps that can be gone on with.

    python bench/gpu.py [--shard I/N] [--minutes 8] [--device simulated:gfx942]

Each step's result is written as soon as it is there, to bench/results/gpu-DEVICE-DATE[-IofN].json; the same command
again leaves out what is done. With `--shard` a machine does every N-th step, and the N files together are the whole.

* `doctor`           what the judge says of the machine; the sandbox's self-test
* `launch`           a real launch in a confined child, proved and timed
* `repeat:NAME`      one kernel timed twice by judges of their own; above 100 us they agree within 1 %
* `do_bench:NAME`    the clock beside triton.testing.do_bench
* `cheat:NAME`       a kernel that cheats the clock gains nothing, or is refused
* `kernel:NAME`      a starter kernel under the full tier, native beside interpreted, timed beside eager and compile,
                     with its share of the memory's bandwidth and of the matrix units' rate
* `variants:NAME`    up to 20 configurations of one kernel, each timed: the ground of the estimate

Exit codes: 0 every step of the shard is there, 1 a step missed what it promises, 3 there is no GPU here, 4 the minutes
are over and steps are left: run it again.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
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
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self.known, indent=2) + "\n")
        fresh.replace(self.path)


def steps(room: Judge, start: list[str], specs: Path, seconds: float) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Every step by name; `start` is how another judge like this one is started."""
    made, names = gpu_steps.Steps(room, start, specs, seconds), gpu_steps.kernels(specs)
    yield "doctor", made.doctor
    yield "launch", made.launch
    for name in (one for one in gpu_steps.REPEATED if one in names):
        yield f"repeat:{name}", lambda name=name: made.repeat(name)  # type: ignore[misc]
    for name in (one for one in gpu_steps.BESIDE_DO_BENCH if one in names):
        yield f"do_bench:{name}", lambda name=name: made.do_bench(name)  # type: ignore[misc]
    for name in gpu_steps.CHEATS if "softmax" in names else ():
        yield f"cheat:{name}", lambda name=name: made.cheat(name)  # type: ignore[misc]
    for name in names:
        yield f"kernel:{name}", lambda name=name: made.kernel(name)  # type: ignore[misc]
    for name in (one for one in gpu_steps.VARIED if one in names):
        yield f"variants:{name}", lambda name=name: made.variants(name)  # type: ignore[misc]


ALWAYS = ("doctor", "launch")
"""What every shard does first, whichever it is."""


def work(shard: Shard, todo: list[tuple[str, Callable[[], Result]]], until: float) -> int:
    """Step after step until all are there or the time is over; a step that goes wrong spoils no other."""
    left = 0
    for name, step in todo:
        if name in shard.known["steps"]:
            continue
        if time.monotonic() > until and name not in ALWAYS:
            left += 1
            continue
        begun = time.monotonic()
        try:
            result = step()
        except (GeakError, gpu_steps.NotHere) as error:
            result = {"missed": [str(error)]}
        result["seconds"] = round(time.monotonic() - begun, 1)
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
    return f"{'MISSED' if result.get('missed') else 'ok':<7}{name:<28}{'; '.join(result.get('missed', ())) or said}"


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
        every = [one for one in steps(room, start, options.specs, options.seconds) if re.search(options.only, one[0])]
        first = [one for one in every if one[0] in ALWAYS]
        rest = [one for one in every if one[0] not in ALWAYS][number - 1 :: count]
        return work(Shard.of(options.out, device, number, count), [*first, *rest], until)


if __name__ == "__main__":
    sys.exit(main())
