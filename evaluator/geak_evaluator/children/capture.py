"""Recording a plan inside a candidate's child: torch's operations as steps, Triton's launches as they are bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from geak_evaluator.children.answers import Answers
from geak_evaluator.children.bearing import Noted, bears, needed, renumbered
from geak_evaluator.children.candidate import Launches, Mismatch
from geak_evaluator.children.fingerprints import fingerprint
from geak_evaluator.children.modes import Mode
from geak_evaluator.children.places import ADDRESS, NoPlace, Places
from geak_evaluator.device import scratch
from geak_evaluator.device.cuda_on_cpu import SideStream
from geak_evaluator.schema import plan
from geak_evaluator.schema.layout import Slot

_ALLOCATE = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "empty_permuted"}
_CONSTANT = {"zeros": 0, "zeros_like": 0, "new_zeros": 0, "ones": 1, "ones_like": 1, "new_ones": 1}
_FULL = {"full": 1, "full_like": 1, "new_full": 2}
"""Which of their arguments is the value."""
_REFILL = {"zero_", "fill_"}
_RESHAPES = {"squeeze_", "unsqueeze_", "transpose_", "t_", "as_strided_", "swapaxes_", "swapdims_", "detach_"}
"""They change what a tensor says of itself, and no memory."""
_COPIES = {"clone", "_to_copy", "contiguous", "copy_"}
_JOINS = {"cat", "stack"}
_READS = {"_local_scalar_dense", "equal", "is_nonzero", "item"}
_TORCHS_OWN = {"aten", "prim", "prims", "quantized", "mkldnn", "inductor", "profiler"}
"""Operators of other names are a library's or the candidate's own; their implementations are wrappers like any."""

_KEPT = "memory from before the call, or from outside of torch (allocate it in the call)"
_TABLE = 256
"""Numbers that a wrapper may write into a tensor one by one: a codebook, not the result of a computation."""
_ANSWERS = Answers()
_AN_ADDRESS = "an address among a kernel's arguments: hand over the tensor itself"
_PUT_IN = "values that Python put into a tensor (hand them over as numbers or as a tuple)"


class Recorder(Mode):
    """Notes what is done with memory, while it is done."""

    def __init__(self, inputs: Sequence[torch.Tensor], driver: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._driver = driver
        self.reads: dict[str, None] = {}
        self._steps: list[Noted] = []
        self._marks: dict[tuple[int, str], None] = {}
        self._tables = plan.Tables()
        self._places = Places(inputs)
        self._inputs = self._places.count

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each operation that it performs."""
        kwargs = kwargs or {}
        if self._driver.probing:
            self._look(func)
            return func(*args, **kwargs)  # what an autotuner does to try a configuration out is not done again later
        if func.namespace not in _TORCHS_OWN:
            with self:
                return func.redispatch(_CPU, *args, **kwargs)
        result = func(*args, **kwargs)
        try:
            self._note(func, args, kwargs, result)
        except NoPlace as error:
            self._mark(f"{func}: {error}", (result, _written(func, args, kwargs)))
        return result

    def launched(self, launch: Any) -> None:
        """Notes a launch as the described device received it."""
        scratch.check(launch)
        function = self._places.functions[id(launch.function)] = launch.function
        try:
            arguments = tuple(self._places.argument(value) for value in launch.args)
        except NoPlace as error:
            raise Mismatch(
                "not_plain", f"kernel {function.fn.__name__} is given {error}, which no plan holds"
            ) from None
        text = fingerprint(function)
        name, module = function.fn.__name__, function.fn.__module__
        step = plan.Launch(name, module, launch.grid, arguments, _options(launch), text)
        named = plan.storages(arguments) | self._addressed(launch.args)
        self._add(step, reads=named | self._tables.behind(named))

    def _addressed(self, values: Sequence[Any]) -> set[int]:
        """Storages that a launch is given by their addresses, which mean nothing wherever the plan is carried out."""
        found = set()
        for value in tree_leaves(tuple(values)):
            if type(value) is int and (place := self._places.place(value)) is not None:
                found.add(place.storage)
        self._marks |= {(number, _AN_ADDRESS): None for number in found}
        return found

    def bearing(self, found: Sequence[tuple[str, torch.Tensor]]) -> plan.Plan:
        """What was noted and bears on the result: what was computed for the host's decisions alone is left out."""
        outputs = tuple(plan.Output(path, self._places.view(value)) for path, value in found)
        roots = {*range(self._inputs), *(output.view.storage for output in outputs)}
        wanted = needed(self._steps, roots)
        numbers = {number: place for place, number in enumerate(sorted(wanted))}
        steps = tuple(renumbered(noted.step, numbers) for noted in self._steps if bears(noted, wanted))
        marks = [*((number, _KEPT) for number in self._places.strange), *self._marks]
        foreign = dict.fromkeys(text for number, text in marks if number in wanted)
        told = _ANSWERS.about(self._places.functions.values())
        return plan.Plan(steps, renumbered(outputs, numbers), tuple(foreign), tuple(self.reads), *told)

    def _mark(self, text: str, changed: Any) -> None:
        """Notes what no plan can hold by the memory that it changed: only if that is used is it of account."""
        for leaf in _tensors(changed):
            if leaf.layout == torch.strided:
                self._marks[self._places.number(leaf, new=True), text] = None

    def _add(self, step: plan.Step, reads: Iterable[int] = (), writes: Iterable[int] = ()) -> None:
        if len(self._steps) > plan.MOST_STEPS:
            raise PlanTooLong
        self._steps.append(Noted(step, frozenset(reads), frozenset(writes)))
        self._tables.note(step)

    def _allocate(self, tensor: torch.Tensor) -> plan.View:
        fresh = not self._places.knows(tensor)
        self._places.number(tensor, new=True)
        view = self._places.view(tensor)
        if fresh:
            self._add(plan.Allocate(view.storage, tensor.untyped_storage().nbytes()), writes=[view.storage])
        return view

    def _note(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        name = _name(func)
        if self._look(func):
            return
        if name in _ALLOCATE:
            self._allocate(result)
        elif name in _CONSTANT:
            self._fill(self._allocate(result), _CONSTANT[name])
        elif name in _FULL:
            self._fill(self._allocate(result), args[_FULL[name]] if len(args) > _FULL[name] else kwargs["fill_value"])
        elif name in _REFILL:
            self._refill(result, 0 if name == "zero_" else args[1])
        elif name in _COPIES:
            self._copy(args[1] if name == "copy_" else args[0], result)
        elif name in _JOINS:
            self._join(name, args[0], args[1] if len(args) > 1 else kwargs.get("dim", 0), result)
        elif name == "constant_pad_nd":
            self._pad(args[0], args[1], args[2] if len(args) > 2 else kwargs.get("value", 0), result)
        elif name == "lift_fresh" and not self._places.knows(result):
            self._put_in(result)
        elif name not in _RESHAPES:
            self._work(func, args, kwargs, result)

    def _look(self, func: Any) -> bool:
        """Whether the host then knows what some tensor holds, and may decide by it."""
        if looks := _name(func) in _READS:
            self.reads[_name(func)] = None
        return looks

    def _put_in(self, tensor: torch.Tensor) -> None:
        """A small table of numbers, or of the addresses of tensors, is a few constants."""
        values = tensor.flatten()
        numbers = {value for value in values[: _TABLE + 1].tolist() if type(value) is int}
        places: dict[float, plan.View | None] = {value: self._places.place(value) for value in numbers}
        if tensor.numel() > _TABLE or any(abs(value) >= ADDRESS and places[value] is None for value in numbers):
            self._mark(_PUT_IN, tensor)
            return
        whole, at = self._allocate(tensor), 0
        for _, run in groupby(values.tolist(), repr):
            until = at + len(list(run))
            part = whole if until - at == tensor.numel() else self._places.view(values[at:until])
            value = values[at].item()
            if (of := places.get(value)) is not None:
                self._add(plan.Fill(part, 0, of), reads=[of.storage], writes=[part.storage])
            else:
                self._fill(part, value)
            at = until

    def _work(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        for leaf in _tensors((args, kwargs)):
            self._places.number(leaf)
        written = _written(func, args, kwargs)
        if written or not self._is_view(result):
            self._call(func, args, kwargs, result, written)

    def _is_view(self, result: Any) -> bool:
        """Whether everything that came back lies in memory that was known before."""
        return all(leaf.layout == torch.strided and self._places.knows(leaf) for leaf in _tensors(result))

    def _call(self, func: Any, args: Any, kwargs: Any, result: Any, written: Sequence[torch.Tensor]) -> None:
        """Work of a library's: whether it may be in a plan is for the judge to say."""
        try:
            arguments = tuple(self._places.operand(value) for value in args)
            keywords = {name: self._places.operand(value) for name, value in kwargs.items()}
        finally:
            views = tuple(self._allocate(leaf) for leaf in _tensors(result))
        changed = {*(view.storage for view in views), *(self._places.number(leaf) for leaf in written)}
        read = plan.storages((*arguments, *keywords.values()))
        self._add(plan.Library(str(func), arguments, keywords, views), reads=read, writes=changed)

    def _fill(self, view: plan.View, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            raise NoPlace("a fill with a computed value")
        self._add(plan.Fill(view, value), writes=[view.storage])

    def _refill(self, target: torch.Tensor, value: Any) -> None:
        if isinstance(value, torch.Tensor) and self._places.knows(value):
            self._copy_into(value, target)
        else:
            # y[3:] = 0 is y[3:].fill_(0), by way of a tensor that nobody made.
            self._fill(self._places.view(target), value.item() if isinstance(value, torch.Tensor) else value)

    def _copy(self, source: Any, target: torch.Tensor) -> None:
        origin = self._places.view(source)
        if origin == (self._places.view(target) if self._places.knows(target) else None):
            return
        self._add_copy(origin, self._allocate(target))

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
            self._copy_into(part, place)

    def _copy_into(self, source: torch.Tensor, place: torch.Tensor) -> None:
        self._add_copy(self._places.view(source), self._places.view(place))

    def _add_copy(self, source: plan.View, target: plan.View) -> None:
        self._add(plan.Copy(source, target), reads=[source.storage], writes=[target.storage])

    def _pad(self, source: torch.Tensor, widths: Sequence[int], value: Any, target: torch.Tensor) -> None:
        """Padding is a constant all over and a copy into the middle; a negative width cuts away instead."""
        self._fill(self._allocate(target), value)
        place = target
        for i in range(len(widths) // 2):
            dim = source.dim() - 1 - i
            before, after = widths[2 * i], widths[2 * i + 1]
            source = source.narrow(dim, max(-before, 0), source.shape[dim] - max(-before, 0) - max(-after, 0))
            place = place.narrow(dim, max(before, 0), source.shape[dim])
        self._copy_into(source, place)


class PlanTooLong(RuntimeError):
    """A wrapper that asks for more than a plan may hold."""

    def __init__(self) -> None:
        super().__init__(f"its wrapper asks for more than {plan.MOST_STEPS} steps")


_CPU = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)


def _tensors(value: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def _name(func: Any) -> str:
    return func.overloadpacket.__name__ if func.namespace == "aten" else f"{func.namespace}.{func}"


def _written(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that an operation changes, by its schema."""
    written = []
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written.append(args[i] if i < len(args) else kwargs.get(argument.name))
    return _tensors(written)


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

    SideStream.unawaited = False
    recorder = launches.recorder = Recorder(known, launches.driver)
    try:
        with recorder:
            found = call()
    finally:
        launches.recorder = None
    if SideStream.unawaited:
        raise Mismatch("race", "it launches on a stream of its own, and nothing waits for what is done there")
    if in_place:
        found = []
    else:
        check(found, wanted)
    return recorder.bearing(found)
