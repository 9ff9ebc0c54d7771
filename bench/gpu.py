"""What a GPU says of this judge: the clock, cheats, faults, proofs, times, in steps that can be gone on with.

On a machine with a GPU, with its own Python, torch, triton and numpy and nothing else, from the checkout's folder:

    make gpu GPU="--only 'doctor|launch'"         half a minute: is this device of use at all?
    make gpu GPU="--minutes 8"                    what tells most comes first; again, until nothing is left
    make gpu GPU="--only '^variants:softmax'"     or whatever is wanted next
    python bench/gpu_later.py RESULT              estimates and shares of peak, later, on any machine

(Without make it is `PYTHONPATH=.:evaluator python3 bench/gpu.py --minutes 8`.)

Each step's result is written as soon as it is there, to gpu-DEVICE-DATE[-IofN].json in bench/results or the folder that
`--out` names; the same command again leaves out what is done, also on another machine with such a device and the same
versions, once the file lies there. With `--shard` a machine does every N-th step, and the N files are the whole.

A line a step: `ok`, `absent` with what is not there, or `MISSED` with what was promised and what came instead, which
the file has too, with a trace where the mistake is ours. That ends nothing: a step that hangs has four times what it is
estimated to take (150 s at the least), and after trouble the next one has judges of its own. Where nothing can be
launched, nothing else is tried; `--again` has what missed done once more. The last lines say again what missed, what is
left, and how long that is estimated to take. Beside the result lies gpu-DATE.log: all that the judge printed, and what
children on the device printed that went wrong.

First a process outside of the sandbox uses the device, says what it found, and holds it awake until the end. Where a
child of the sandbox cannot launch, doctor leaves out one layer after another until it can, and says which it was; then
what needs no served judge goes on without that layer, since all that runs here is of this checkout.

In their order (in brackets the seconds that one is estimated to take, from what its parts do; none was measured yet):

* `doctor`           (10) what the judge says of the machine; the sandbox's self-test; a launch in a confined child
* `launch`           (20) a small kernel proved and timed by the judge as it is served
* `repeat:NAME`      (20) one kernel timed twice by processes of their own; above 100 us they agree within 1 %
* `cheat:NAME`       (12) a kernel that cheats the clock gains nothing, or is refused
* `check:NAME`       (10 to 90) a check of tests/gpu: faults, a hang, lines that persist, the tuner; others later
* `do_bench:NAME`    (15) the clock beside triton.testing.do_bench
* `profiler:NAME`    (40) the clock beside the durations that ncu or rocprofv3 counts, where it is there and may count
* `proof:K`          (30) every fourth starter kernel at a small size, native beside interpreted; nothing is timed
* `kernel:NAME`      (20) a starter kernel at the first of its sizes, beside eager torch, (50) four beside
                     torch.compile too, and last (60) nine whose references are heavy
* `full:softmax`     (120) a whole verdict with every reference, calls, energy and counters
* `variants:NAME:K`  (20) up to 20 configurations of one kernel in four parts, each proved once and timed alone: the
                     ground of the estimate

All before the timed kernels is meant to fit the first eight minutes; from there to the variants it is 29 minutes, and
the 400 variants of 20 kernels are 27. Most of it goes to the host, which computes the references.

When the minutes are over, the step that runs is ended, and is the first of the next time; one that had nearly all of
the time and did not finish counts as missed. None is begun that is estimated to take longer than what is left.

Exit codes: 0 every step of the shard is there, 1 a step missed what it promises, 3 there is no GPU here, 4 the minutes
are over and steps are left: run it again.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gpu_awake
import gpu_steps
import gpu_variants
import record

from geak.errors import GeakError
from geak.judge import Judge
from geak.judge_process import command
from geak.specs import shipped
from geak_evaluator.measure.devices import VARIABLES, gpus, visible
from geak_evaluator.measure.lent import LOG

Result = dict[str, Any]
Step = tuple[str, Callable[[], Result]]


@dataclass
class Shard:
    """The results of one shard, on disk after each step."""

    path: Path
    known: dict[str, Any]

    @classmethod
    def of(cls, folder: Path, device: str, number: int, count: int) -> Shard:
        """The one that is there already for this device and these versions, or a new one; its folder is made."""
        folder.mkdir(parents=True, exist_ok=True)
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

    @property
    def missed(self) -> list[str]:
        """The steps that did not show what they promise."""
        return [name for name, result in self.known["steps"].items() if result.get("missed")]

    def forget(self, names: Iterable[str]) -> None:
        """Has these done once more."""
        for name in names:
            del self.known["steps"][name]

    def put(self, name: str, result: Result) -> None:
        """Keeps a result, whatever happens next."""
        self.known["steps"][name] = result
        self.write()

    def write(self) -> None:
        """All that is known, whole or not at all."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self.known, indent=2) + "\n")
        fresh.replace(self.path)


def steps(made: gpu_steps.Steps, names: list[str]) -> Iterator[Step]:
    """Every step by name, for the kernels of these names, what tells most in a second first."""

    def each(kind: str, step: Callable[..., Result], wanted: Iterable[Any]) -> Iterator[Step]:
        return ((f"{kind}:{one}", partial(step, one)) for one in wanted)

    beside, repeated = ([one for one in which if one in names] for which in (gpu_steps.BESIDE, gpu_steps.REPEATED))
    yield "doctor", made.doctor
    yield "launch", made.launch
    yield from each("repeat", made.repeat, repeated[:1])
    yield from each("cheat", made.cheat, gpu_steps.CHEATS if "softmax" in names else ())
    yield from each("check", made.check, gpu_steps.FIRST_CHECKS)
    yield from each("do_bench", made.do_bench, beside[:1])
    yield from each("profiler", made.profiler, beside[:1])
    yield from each("proof", made.proof, range(1, gpu_steps.PROOFS + 1))
    yield from each("kernel", made.kernel, sorted(names, key=_turn))
    yield from each("check", made.check, gpu_steps.OTHER_CHECKS)
    yield from each("full", made.full, beside[:1])
    yield from each("repeat", made.repeat, repeated[1:])
    yield from each("do_bench", made.do_bench, beside[1:])
    yield from each("profiler", made.profiler, beside[1:])
    for name in (one for one in gpu_variants.VARIED if one in names):
        for part in range(1, gpu_variants.PARTS + 1):
            yield f"variants:{name}:{part}", partial(made.variants, name, part)


def _turn(name: str) -> int:
    return 0 if name in gpu_steps.COMPILED else 2 if name in gpu_steps.HEAVY else 1


ALWAYS = ("doctor", "launch")
"""What every shard does first, whichever it is."""
_HELLO_S = 300.0
"""What a judge may take to say hello: on a machine that is new, torch is read off a disk for the first time."""
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
_PATIENCE, _LEAST_STEP_S = 4.0, 150.0
"""How many times what it is estimated to take a step has, and what every step has: a hang costs no more than that."""
_TOLD = 400
"""Characters of what a step missed that are said again at the end: who sees no more than the last lines sees them."""


def work(
    shard: Shard,
    todo: list[Step],
    until: float,
    *,
    seconds: float = 0.0,
    watch: Callable[[float], AbstractContextManager[list[bool]]] = unwatched,
    expected: Callable[[str], float] = gpu_steps.expected,
    renew: Callable[[], None] = lambda: None,
) -> int:
    """Step after step until all are there or the time is over; a step that goes wrong spoils no other.

    `seconds` is the time there was in all; `watch` ends whatever a step has asked when that is over, and says so.
    A step that is `expected` to take longer than what is left waits for the next time, unless it had its turn before.
    `renew` is called where what a step has asked may be of no more use.
    """
    cut: list[str] = shard.known.setdefault("unfinished", [])
    left: list[str] = []
    for name, step in sorted(todo, key=lambda one: (one[0] not in ALWAYS, one[0] not in cut)):
        if name in shard.known["steps"]:
            continue
        needed = 0.0 if name in cut else expected(name)
        if time.monotonic() + needed > until and name not in ALWAYS:
            left.append(name)
            continue
        begun = time.monotonic()
        has = max(until - begun, _LEAST_S if name in ALWAYS else 0.0)
        own = max(_PATIENCE * expected(name), _LEAST_STEP_S)
        with watch(min(has, own)) as ended:
            try:
                result = step()
            except gpu_steps.NotHere as error:
                result = {"missed": [str(error)]}
            except Exception as error:  # a mistake of ours, which is to cost no more of the device's time than its own
                ours = not isinstance(error, GeakError)
                result = {"missed": [f"{type(error).__name__}: {error}" if ours else str(error)]}
                if not ended:
                    result["trace"] = traceback.format_exc()
                    renew()
        result["seconds"] = round(time.monotonic() - begun, 1)
        if ended:
            renew()
            if has <= own and result["seconds"] < _NEARLY_ALL * seconds:
                cut[:] = dict.fromkeys([name, *cut])
                shard.write()
                left.append(name)
                continue
            words = f"it did not finish in {result['seconds']:.0f} s"
            result = {"missed": [words], "seconds": result["seconds"]}
        cut[:] = [one for one in cut if one != name]
        shard.put(name, result)
        print(line(name, result), flush=True)
        if name in ALWAYS and result.get("missed") and result.get("stop", True):
            print("nothing else is tried before that is mended", file=sys.stderr)
            return 1
    missed = shard.missed
    for name in missed:
        print(line(name, shard.known["steps"][name])[:_TOLD])
    done = len(shard.known["steps"])
    print(f"{shard.path}: {done} steps done, {len(left)} left{f', missed: {chr(44).join(missed)}' if missed else ''}")
    for kind in dict.fromkeys(name.partition(":")[0] for name in left):
        these = [name for name in left if name.partition(":")[0] == kind]
        print(f"  left: {len(these)} of {kind}, about {sum(map(expected, these)):.0f} s")
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
    parser.add_argument("--minutes", type=float, default=8.0, help="what it may take in all")
    parser.add_argument("--device", default="", metavar="simulated:TARGET", help="try it without a GPU")
    parser.add_argument("--specs", type=Path, default=shipped(), help="a folder of specs, with kernels/")
    parser.add_argument("--seconds", type=float, default=10.0, help="the most for one case beside one baseline")
    parser.add_argument("--only", default="", metavar="REGEX", help="only steps whose name matches")
    parser.add_argument("--again", action="store_true", help="what missed before is tried again")
    parser.add_argument("--out", type=Path, default=record.RESULTS, help="where results go")
    options = parser.parse_args(argv)
    until = time.monotonic() + 60 * options.minutes
    with contextlib.nullcontext("") if options.device else gpu_awake.awake() as said:
        if said:
            print(f"without a sandbox: {said}", flush=True)
        return measure(options, until)


def measure(options: argparse.Namespace, until: float) -> int:
    """All steps that are asked for, on the device that is awake."""
    there = [gpu for gpu in visible(gpus()) if gpu.usable and gpu.target]
    if not options.device and not there:
        variables = ", ".join(VARIABLES)
        print(f"there is no GPU here that this user may open, and that {variables} leave", file=sys.stderr)
        return 3
    options.out.mkdir(parents=True, exist_ok=True)
    # All that runs is of this checkout: where the sandbox does not hold, the doctor says so, and the rest goes on.
    start = [*command(allow_weak_sandbox=True), *(["--device", options.device] if options.device else [])]
    log = (options.out / f"gpu-{datetime.datetime.now(datetime.UTC):%Y-%m-%d}.log").resolve()
    os.environ[LOG] = str(log)
    with log.open("ab") as errors:

        def judge() -> Judge:
            made = Judge(start, errors=errors, patience=_HELLO_S)
            made.start()
            return made

        room = judge()
        device = options.device.replace(":", " ") or there[0].name
        number, count = options.shard
        made = gpu_steps.Steps(room, options.device, options.specs, options.seconds, judge)
        every = [one for one in steps(made, gpu_steps.kernels(options.specs)) if re.search(options.only, one[0])]
        first = [one for one in every if one[0] in ALWAYS]
        rest = [one for one in every if one[0] not in ALWAYS][number - 1 :: count]
        shard, seconds = Shard.of(options.out, device, number, count), 60 * options.minutes
        shard.known["target"] = room.hello.present[0]
        shard.forget([name for name in shard.missed if options.again or name in ALWAYS])

        def watch(left: float) -> AbstractContextManager[list[bool]]:
            return watched(made, left)

        with contextlib.closing(made):
            return work(shard, [*first, *rest], until, seconds=seconds, watch=watch, renew=made.renew)


if __name__ == "__main__":
    sys.exit(main())
