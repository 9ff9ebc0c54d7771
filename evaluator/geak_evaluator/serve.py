"""The judge as a process: a hello, then one answer a request, until stdin ends."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from geak_evaluator.judge import Judge
from geak_evaluator.lint import lint
from geak_evaluator.machine_code.cache import Cache, CacheError
from geak_evaluator.measure import present
from geak_evaluator.measure.baseline import Book
from geak_evaluator.measure.devices import gpus, software, visible
from geak_evaluator.measure.energy import observer
from geak_evaluator.measure.lease import Seat
from geak_evaluator.measure.lent import Lent
from geak_evaluator.measuring import Stopwatch
from geak_evaluator.observing import observe, tried
from geak_evaluator.oracle import SpecFile, SpecProblem
from geak_evaluator.pool import Pool, own_command, processors
from geak_evaluator.profiling import NoSuchCase, counted, profile
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.errors import SandboxError
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema import codec
from geak_evaluator.schema.target import UnknownTarget
from geak_evaluator.schema.wire import VERSION, Hello, Problem, Request, Response
from geak_evaluator.seeding import seed
from geak_evaluator.tuning import tune

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def hello(box: Sandbox) -> Hello:
    """What this judge is and has."""
    packages = {}
    for name in ("torch", "triton", "numpy"):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    report = box.report
    found = visible(gpus())
    return Hello(
        version=VERSION,
        python=platform.python_version(),
        packages=packages,
        sandbox=box.level.value,
        leaks=report.leaks,
        broken=report.broken,
        devices=tuple(dict.fromkeys(node for gpu in found if gpu.usable for node in gpu.nodes)),
        present=tuple(dict.fromkeys(gpu.target for gpu in found if gpu.target)),
        gpus=found,
        software=software(),
        missing=box.missing,
        code=code(),
    )


@functools.cache
def code() -> str:
    """The hash of this judge's source, the same from a checkout, a wheel and a packed file."""
    found: dict[str, bytes] = {}

    def walk(folder: Traversable, path: str) -> None:
        for entry in folder.iterdir():
            if entry.name.endswith(".py"):
                found[f"{path}{entry.name}"] = entry.read_bytes()
            elif entry.is_dir() and entry.name != "__pycache__":
                walk(entry, f"{path}{entry.name}/")

    walk(resources.files("geak_evaluator"), "")
    digest = hashlib.sha256()
    for name, data in sorted(found.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def cache() -> Cache | None:
    """Where machine code is kept between judges; nowhere, where others could write there."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Cache(Path(base).expanduser() / "geak" / "machine-code")
    except (OSError, CacheError, RuntimeError):
        return None


def serve(box: Sandbox, requests: TextIO, answers: TextIO, device: str = "", *, estimates: bool = True) -> None:
    """Answers requests in turn; `device` is a simulated one to be used instead of what is there."""
    judge = Judge(box, cache=cache(), estimates=estimates, stopwatch=_stopwatch(box, device))
    _say(answers, replace(hello(box), measures=judge.measures, **_simulated(device)))
    for line in requests:
        _say(answers, _lacking(box, line) or _answer(judge, line))


def _stopwatch(box: Sandbox, device: str) -> Stopwatch | None:
    if device:
        return Stopwatch(Lent(box, present.simulated(device), Limits()))
    found = present.alike()
    if not found:
        return None
    seat = Seat(found)
    gpu, metal = seat.gpu, present.metal(seat.gpu, gpus())
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    book = Book(Path(base).expanduser() / "geak" / "baselines")
    return Stopwatch(Lent(box, metal, Limits(), seat), book=book, sensor=functools.partial(observer, gpu))


def _simulated(device: str) -> dict[str, Any]:
    """A simulated device stands in for a present one, and its name says what it is."""
    if not device:
        return {}
    target = str(present.simulated(device).settings["target"])
    return {"devices": (f"simulated {target}",), "present": (target,)}


def _lacking(box: Sandbox, line: str) -> Response | None:
    """An answer for a machine on which nothing can be judged: it is not the spec's fault."""
    lacks = [name for name in ("numpy", "torch", "triton") if name in box.missing]
    if not lacks:
        return None
    try:
        number = codec.from_json(Request, codec.loads(line)).id
    except codec.WireError:
        return None
    why = "; ".join(f"{name}: {box.missing[name]}" for name in lacks)
    return Response(number, problem=Problem("sandbox", f"this machine cannot judge kernels ({why}); see `geak doctor`"))


def _say(answers: TextIO, message: Any) -> None:
    answers.write(codec.dumps(message) + "\n")
    answers.flush()


def _answer(judge: Judge, line: str) -> Response:
    number = 0
    try:
        request = codec.from_json(Request, codec.loads(line))
        number = request.id
        return Response(number, codec.to_json(_result(judge, request)))
    except codec.WireError as error:
        return Response(number, problem=Problem("request", f"a request that this judge cannot read: {error}"))
    except SpecProblem as error:
        return Response(number, problem=Problem("spec", str(error)))
    except (UnknownTarget, NoSuchCase) as error:
        return Response(number, problem=Problem("request", str(error)))
    except (SandboxError, OSError) as error:
        return Response(number, problem=Problem("sandbox", str(error)))
    except Exception as error:
        # A mistake of ours, or a lie that we did not see through: the next request is none the worse for it.
        traceback.print_exc()
        return Response(number, problem=Problem("sandbox", f"the judge failed: {type(error).__name__}: {error}"))


def _result(judge: Judge, request: Request) -> Any:
    if request.op == "launch":
        return judge.launched()
    file = SpecFile(Path(request.path), _bytes(request.source))
    if request.op == "describe":
        return judge.describe(file)
    if request.op == "lint":
        return lint(judge, file)
    if request.op == "seed":
        return seed(judge, file, target=request.targets[0])
    if request.op == "observe":
        texts = {"test": request.test, "timed": request.timed, "project": request.project}
        return observe(judge, file, target=request.targets[0], watch=request.watch, **texts)
    kernel = _bytes(request.kernel)
    if request.op == "try":
        return tried(judge, file, kernel, target=request.targets[0], policy=request.policy, tier=request.tier)
    if request.op == "profile":
        return profile(
            judge,
            file,
            kernel,
            target=request.targets[0] if request.targets else "",
            case=request.case,
            choice=request.tool,
            policy=request.policy,
        )
    if request.op == "tune":
        return tune(
            judge,
            file,
            kernel,
            targets=request.targets,
            policy=request.policy,
            evaluations=request.evaluations,
            minutes=request.minutes,
            table=request.table,
            axis=request.axis,
        )
    verdict = judge.evaluate(
        file,
        kernel,
        targets=request.targets,
        tier=request.tier,
        policy=request.policy,
        time=request.time,
        original=_bytes(request.original),
        seconds=request.seconds,
        extras=request.extras,
    )
    if not (request.time and request.extras.counters):
        return verdict
    return counted(judge, file, kernel, verdict, request.policy)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise codec.WireError("a file's text holds half a character that stands for no byte") from None


def pooled(workers: int, options: Sequence[str]) -> None:
    """Serves over this process's own stdin and stdout with several judges; 0 is one for each processor."""
    pool = Pool(own_command(*options), workers or processors())
    try:
        sys.stdout.write(codec.dumps(pool.hello) + "\n")
        sys.stdout.flush()
        pool.serve(sys.stdin.buffer, sys.stdout.buffer)
    finally:
        pool.close()


def stdio(box: Sandbox, device: str = "", *, estimates: bool = True) -> None:
    """Serves over this process's own stdin and stdout; anything else that prints goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="surrogateescape")
    os.dup2(2, 1)
    requests = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115 - it is not ours to close
    sys.stdin = open(os.devnull)  # noqa: SIM115
    serve(box, requests, answers, device, estimates=estimates)
