"""Recording a plan inside a candidate's child: torch's operations as steps, Triton's launches as they are bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from geak_evaluator.children.candidate import Launches
from geak_evaluator.children.jit_only import fingerprint
from geak_evaluator.children.tensors import format_of
from geak_evaluator.schema import plan
from geak_evaluator.schema.layout import Slot

_ALLOCATE = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "empty_permuted"}
_CONSTANT = {"zeros": 0, "zeros_like": 0, "new_zeros": 0, "ones": 1, "ones_like": 1, "new_ones": 1}
_FULL = {"full": 1, "full_like": 1, "new_full": 2}
"""Which of their arguments is the value."""
_REFILL = {"zero_", "fill_"}
_COPIES = {"clone", "_to_copy", "contiguous", "copy_"}
_JOINS = {"cat", "stack"}
_READS = {"_local_scalar_dense", "equal", "is_nonzero", "item"}
_SILENT = {"detach", "alias", "lift_fresh", "_unsafe_view", "sym_size", "sym_stride", "sym_numel", "is_same_size"}


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what is done with memory, while it is done."""

    def __init__(self, inputs: Sequence[torch.Tensor], driver: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._driver = driver
        self.steps: list[plan.Step] = []
        self.foreign: dict[str, None] = {}
        self.reads: dict[str, None] = {}
        self._known: dict[int, int] = {}
        self._kept: list[Any] = []
        for tensor in inputs:
            self._number(tensor, new=True)

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each operation that it performs."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self._driver.probing:
            return result  # what an autotuner does to try a configuration out is not done again later
        try:
            self._note(func, args, kwargs, result)
        except _NoPlace as error:
            self.foreign[f"{func}: {error}"] = None
        return result

    def launched(self, launch: Any) -> None:
        """Notes a launch as the described device received it."""
        function = launch.function
        module = "" if function.fn.__module__ == "kernel" else function.fn.__module__
        arguments = tuple(self._argument(value) for value in launch.args)
        text = fingerprint(function.src)
        self._add(plan.Launch(function.fn.__name__, module, launch.grid, arguments, _options(launch), text))

    def view(self, tensor: torch.Tensor) -> plan.View:
        """Where a tensor lies; memory that is not known yet is noted as allocated."""
        format = format_of(tensor.dtype)
        if format is None:
            raise _NoPlace(f"{tensor.dtype} has no place in a plan")
        if tensor.layout != torch.strided or tensor.is_neg() or tensor.is_conj():
            raise _NoPlace("a tensor that is no plain memory")
        return plan.View(
            self._number(tensor), format, int(tensor.storage_offset()), tuple(tensor.shape), tuple(tensor.stride())
        )

    def _number(self, tensor: torch.Tensor, new: bool = False) -> int:
        storage = tensor.untyped_storage()
        number = self._known.get(storage._cdata)
        if number is None:
            if not new:
                self.foreign["memory from before the call, or from outside of torch"] = None
            number = self._known[storage._cdata] = len(self._known)
            self._kept.append(storage)  # its address must not come to mean another
        return number

    def _is_known(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self._known

    def _add(self, step: plan.Step) -> None:
        if len(self.steps) > plan.MOST_STEPS:
            raise PlanTooLong
        self.steps.append(step)

    def _allocate(self, tensor: torch.Tensor) -> plan.View:
        fresh = not self._is_known(tensor)
        self._number(tensor, new=True)
        view = self.view(tensor)
        if fresh:
            self._add(plan.Allocate(view.storage, tensor.untyped_storage().nbytes()))
        return view

    def _note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        name = func.overloadpacket.__name__ if func.namespace == "aten" else f"{func.namespace}.{func}"
        if name in _READS:
            self.reads[name] = None
        elif name in _ALLOCATE:
            self._allocate(result)
        elif name in _CONSTANT:
            self._fill(self._allocate(result), _CONSTANT[name])
        elif name in _FULL:
            self._fill(self._allocate(result), args[_FULL[name]] if len(args) > _FULL[name] else kwargs["fill_value"])
        elif name in _REFILL:
            self._fill(self.view(result), 0 if name == "zero_" else args[1])
        elif name in _COPIES:
            self._copy(args[1] if name == "copy_" else args[0], result)
        elif name in _JOINS:
            self._join(name, args[0], args[1] if len(args) > 1 else kwargs.get("dim", 0), result)
        elif not self._moves_nothing(name, result):
            self._call(func, args, kwargs, result)

    def _moves_nothing(self, name: str, result: Any) -> bool:
        tensors = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if not tensors or name in _SILENT:
            return not tensors or all(self._is_known(t) for t in tensors) or name != "lift_fresh"
        # A view: everything that came back lies in memory that was known before, and the call changes nothing.
        return not name.endswith("_") and all(self._is_known(t) for t in tensors)

    def _call(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Work of a library's: whether it may be in a plan is for the judge to say."""
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        try:
            arguments = tuple(self._operand(value) for value in args)
            keywords = {name: self._operand(value) for name, value in kwargs.items()}
        finally:
            views = tuple(self._allocate(leaf) for leaf in results)
        self._add(plan.Library(str(func), arguments, keywords, views))

    def _operand(self, value: Any) -> plan.Argument:
        if isinstance(value, list | tuple):
            return plan.Argument("tuple", items=tuple(self._operand(item) for item in value))
        if isinstance(value, torch.dtype):
            format = format_of(value)
            if format is None:
                raise _NoPlace(f"{value} has no place in a plan")
            return plan.Argument("format", text=format)
        if isinstance(value, torch.device | torch.layout | torch.memory_format):
            return plan.Argument("none")
        return self._argument(value)

    def _fill(self, view: plan.View, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            raise _NoPlace("a fill with a computed value")
        self._add(plan.Fill(view, value))

    def _copy(self, source: Any, target: torch.Tensor) -> None:
        origin = self.view(source)
        if origin == (self.view(target) if self._is_known(target) else None):
            return
        self._add(plan.Copy(origin, self._allocate(target)))

    def _join(self, name: str, parts: Sequence[torch.Tensor], dim: int, target: torch.Tensor) -> None:
        self._allocate(target)
        at = 0
        for part in parts:
            if name == "stack":
                place = target.select(dim, at)
                at += 1
            else:
                if part.shape == (0,):
                    continue
                place = target.narrow(dim, at, part.shape[dim])
                at += part.shape[dim]
            self._add(plan.Copy(self.view(part), self.view(place)))

    def _argument(self, value: Any) -> plan.Argument:
        import triton.language as tl

        base = getattr(value, "base", None)
        if isinstance(value, torch.Tensor):
            return plan.Argument("tensor", view=self.view(value))
        if type(value).__name__ == "TensorDescriptor" and isinstance(base, torch.Tensor):
            view = self.view(base)
            described = plan.View(view.storage, view.format, view.offset, tuple(value.shape), tuple(value.strides))
            return plan.Argument("descriptor", view=described, block=tuple(value.block_shape), text=str(value.padding))
        if type(value).__name__ == "TensorWrapper" and isinstance(base, torch.Tensor):
            return plan.Argument("tensor", view=self.view(base.view(value.dtype)))
        if value is None:
            return plan.Argument("none")
        if isinstance(value, bool | int | float):
            return plan.Argument("number", number=value)
        if isinstance(value, str):
            return plan.Argument("text", text=value)
        if isinstance(value, tl.constexpr):
            return self._argument(value.value)
        if isinstance(value, tl.dtype):
            return plan.Argument("type", text=value.name)
        if isinstance(value, torch.dtype):
            raise _NoPlace("a torch dtype as a kernel's argument")
        if hasattr(value, "fn") and hasattr(value, "arg_names"):
            return plan.Argument("function", text=value.fn.__name__)
        if isinstance(value, tuple):
            return plan.Argument("tuple", items=tuple(self._argument(item) for item in value))
        raise _NoPlace(f"a {type(value).__name__} as a kernel's argument")


class PlanTooLong(RuntimeError):
    """A wrapper that asks for more than a plan may hold."""

    def __init__(self) -> None:
        super().__init__(f"its wrapper asks for more than {plan.MOST_STEPS} steps")


class _NoPlace(Exception):
    pass


def _options(launch: Any) -> dict[str, int | float | bool | str]:
    from geak_evaluator.device import simulated

    chosen = simulated.chosen_options(launch)
    return {name: value for name, value in chosen.items() if isinstance(value, int | float | bool | str)}


def record(
    call: Callable[[], list[tuple[str, Any]]],
    known: Sequence[torch.Tensor],
    wanted: list[Slot],
    launches: Launches,
    *,
    in_place: bool = False,
) -> plan.Plan:
    """Runs a wrapper under a recorder; launches are noted as they come, and not carried out."""
    from geak_evaluator.children.running import check

    recorder = launches.recorder = Recorder(known, launches.driver)
    try:
        with recorder:
            found = call()
    finally:
        launches.recorder = None
    if in_place:
        found = []
    else:
        check(found, wanted)
    outputs = tuple(plan.Output(path, recorder.view(value)) for path, value in found)
    return plan.Plan(tuple(recorder.steps), outputs, tuple(recorder.foreign), tuple(recorder.reads))
