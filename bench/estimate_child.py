"""One kernel of TritonBench-G at the sizes that were timed: what each launch asks for.

Not imported: the confined child of estimate.py executes this text.

`job` holds the kernel's source and the source of what timed it, the sizes that were recorded, and how many seconds each
may take. Tensors are laid out and, unless they are small or integers, never filled: counting needs no values.
"""

from __future__ import annotations

import re
import signal
import sys
import types
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from geak_evaluator import device
from geak_evaluator.children.loading import load
from geak_evaluator.estimate.trace import Observer
from geak_evaluator.machine_code import frontend
from geak_evaluator.schema import codec

JOB: dict[str, Any] = globals()["job"]  # put here by the child that executes this; it replies with `answer`
LARGE = 1 << 18
TARGET = "sm_80"
FREE = ("empty", "new_empty", "detach", "lift_fresh", "_local_scalar_dense", "alias", "resize_", "set_")
MOST_CONFIGURATIONS = 6


class OutOfTime(BaseException):
    """Not an Exception: a file that catches everything must not catch this."""


def out_of_time(*_: Any) -> None:
    raise OutOfTime


class Lean(TorchDispatchMode):
    """Torch's operations, noted by what they move; those on large floats are not carried out."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        super().__init__()
        self.steps = steps

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        result = self._result(func, args, kwargs, given)
        name = func.overloadpacket.__name__
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        written = func._schema.is_mutable
        known = {one.untyped_storage()._cdata for one in given}
        fresh = [one for one in made if written or one.untyped_storage()._cdata not in known]
        if fresh and not name.startswith(FREE):
            read = sum(one.numel() * one.element_size() for one in given)
            self.steps.append({"op": name, "read": read, "written": sum(o.numel() * o.element_size() for o in fresh)})
            if name in ("mm", "bmm", "addmm", "baddbmm", "linear"):
                flops = 2 * fresh[0].numel() * given[-1].shape[-2]
                self.steps[-1]["dots"] = {str(given[-1].dtype).removeprefix("torch."): flops}
        return result

    def _result(self, func: Any, args: Any, kwargs: Any, given: list[torch.Tensor]) -> Any:
        if func.namespace == "aten" and func._schema.is_mutable and given and _large(given[0]):
            return given[0]
        asked = max(
            [_count(leaf) for leaf in (args[:1] if not given else ())] + [one.numel() for one in given], default=0
        )
        floats = all(one.dtype.is_floating_point for one in given)
        dtype = kwargs.get("dtype") or (torch.float32 if not given else None)
        if asked < LARGE or not floats or (dtype is not None and not dtype.is_floating_point) or _is_view(func):
            return func(*args, **kwargs)
        bare = tree_map(_meta, (args, kwargs))
        if not given:
            bare[1]["device"] = "meta"
        shaped = func(*bare[0], **bare[1])
        return tree_map(lambda one: _blank(one) if isinstance(one, torch.Tensor) else one, shaped)


def _is_view(func: Any) -> bool:
    return any(ret.alias_info is not None for ret in func._schema.returns)


def _count(value: Any) -> int:
    total = 1
    for size in value if isinstance(value, list | tuple) else [value]:
        total *= size if isinstance(size, int) else 1
    return total


def _large(tensor: torch.Tensor) -> bool:
    return tensor.numel() >= LARGE and tensor.dtype.is_floating_point


def _meta(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
    return value


def _blank(shaped: torch.Tensor) -> torch.Tensor:
    span = 1 + sum((n - 1) * s for n, s in zip(shaped.shape, shaped.stride(), strict=True)) if shaped.numel() else 0
    # By way of numpy, whose zeros are the system's and take no memory; torch would write them.
    zeros = torch.from_numpy(np.zeros(span * shaped.element_size(), dtype=np.uint8)).view(shaped.dtype)
    return zeros.as_strided(shaped.shape, shaped.stride())


def sizes(given: Any) -> list[Any]:
    """A case by the shapes of its tensors."""
    items = given if isinstance(given, tuple | list) else [given]
    return [list(item.shape) for item in items if isinstance(item, torch.Tensor)]


def benchmark() -> Any:
    """What timed the kernel, with the inputs of every size."""
    kernel = load(b"import torch\n" + re.split(r"(?m)^#{40,}$", JOB["source"])[0].encode(), JOB["name"])
    stub = types.ModuleType("performance_utils")

    class Metrics:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.input_tensors: list[Any] = []

    stub.Performance_Metrics = Metrics  # type: ignore[attr-defined]
    stub.do_bench_config = object  # type: ignore[attr-defined]
    package = types.ModuleType("TritonBench_v1")
    sys.modules |= {"performance_utils": stub, "TritonBench_v1": package, f"TritonBench_v1.{JOB['name']}": kernel}
    setattr(package, JOB["name"], kernel)
    space: dict[str, Any] = {"__name__": "timed", "__file__": "timed.py"}
    exec(compile(JOB["timed"], "timed.py", "exec"), space)
    return space["performance_metrics"]()


class Look:
    """All sizes of one kernel."""

    def __init__(self) -> None:
        self.lowered: list[Any] = []
        self.sources: dict[int, tuple[int, Any]] = {}

    def row(self, timed: Any, given: Any, configuration: int) -> dict[str, Any]:
        """One size: the steps of one call, in order."""
        steps: list[dict[str, Any]] = []
        observers: list[tuple[Observer, int]] = []

        def observe(launch: Any) -> Observer:
            observers.append((Observer(launch.kernel, launch.grid), self.code(launch)))
            return observers[-1][0]

        signal.setitimer(signal.ITIMER_PROF, JOB["seconds"])
        try:
            active = device.activate(TARGET, compile=False, strict=False, observe=observe, configuration=configuration)
            with active as driver, device.pretend_cuda(TARGET):
                with Lean([]):
                    given = timed.to_cuda(given)
                with Lean(steps):
                    timed.call_op(given)
        except OutOfTime:
            return {"trouble": "too long"}
        except BaseException as error:
            return {"trouble": f"{type(error).__name__}: {error}"[:300]}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        launches = [{"work": codec.to_json(one.work()), "code": code} for one, code in observers]
        return {"steps": [*launches, *steps], "configurations": len(driver.configurations)}

    def code(self, launch: Any) -> int:
        """Which of the lowered kernels a launch is."""
        if id(launch.source) not in self.sources:
            self.sources[id(launch.source)] = (len(self.lowered), launch)
            self.lowered.append(codec.to_json(frontend.lower([launch], [TARGET])))
        return self.sources[id(launch.source)][0]


def look() -> dict[str, Any]:
    signal.signal(signal.SIGPROF, out_of_time)
    ignored: list[dict[str, Any]] = []
    with device.activate(TARGET, compile=False), device.pretend_cuda(TARGET), Lean(ignored):
        timed = benchmark()
        signal.setitimer(signal.ITIMER_PROF, 20 * JOB["seconds"])
        timed.get_input_tensors()
        signal.setitimer(signal.ITIMER_PROF, 0)
    inputs = timed.input_tensors
    made = Look()
    rows = []
    for number, shapes in JOB["rows"]:
        same = [one for one in inputs if sizes(one) == shapes]
        if number < len(inputs) and (JOB["count"] == len(inputs)):
            given = inputs[number]
        elif same:
            given = same[0]
        else:
            rows.append({"number": number, "trouble": "no such size"})
            continue
        row = made.row(timed, given, 0)
        rows.append({"number": number, "configuration": 0, **row})
        count = row.get("configurations", 0)
        step = max(1, -(-count // MOST_CONFIGURATIONS))
        rows += [
            {"number": number, "configuration": other, **made.row(timed, given, other)}
            for other in range(step, count, step)
        ]
    return {"rows": rows, "lowered": made.lowered}


answer = codec.dumps(look()).encode()
