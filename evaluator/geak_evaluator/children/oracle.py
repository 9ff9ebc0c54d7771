"""Inputs and expected values of one case, computed by the spec's own reference inside the spec child."""

from __future__ import annotations

import contextlib
import types
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from geak_evaluator.children import edits, fills, lifting, mutations
from geak_evaluator.children.spec import Refusal, reference
from geak_evaluator.children.tensors import Arena, format_of, leaves
from geak_evaluator.sandbox.confine import FIRST_SHARED
from geak_evaluator.schema import domain, dtypes, expr, layout
from geak_evaluator.schema.exchange import CaseReply, CaseRequest, Expected
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Description, Fill, Scalar, Spec, Tensor

Values = dict[str, Any]
Outputs = list[tuple[str, torch.Tensor]]


def case(module: types.ModuleType, about: Description, request: CaseRequest) -> CaseReply:
    """Fills the first memory with inputs and the second with what is expected of them."""
    spec = about.spec
    torch.set_num_threads(request.processors)
    rng = torch.Generator().manual_seed(request.seed)
    torch.manual_seed(request.seed)  # a module draws its own parameters
    inputs, outputs = Arena(FIRST_SHARED), Arena(FIRST_SHARED + 1)
    arguments = _inputs(module, about, request, inputs, rng)
    if request.edit is not None:
        arguments = edits.edited(arguments, request.edit)
    if request.sketch:
        return _sketch(module, spec, request)
    if not request.expect or spec.oracle in ("peer", "tests"):
        return CaseReply()
    truth = spec.oracle == "float64"
    run = _Run(module, spec, request, arguments, rng)
    # Gradients fed in are drawn by the first run, and one that is lifted would draw them as float64.
    plainly = not truth or spec.outputs is None or spec.contract == "gradient"
    plain = run(lift=False) if plainly else _native(run) if request.native else None
    found, watch = (run(lift=True), run.watch) if truth else (plain or [], None)
    formats = _formats(spec, request, found if plain is None else plain)
    again = run(lift=truth) if request.examine else []
    expected, at = [], 0
    for (path, value), format in zip(found, formats, strict=True):
        kept = "fp64" if truth and value.is_floating_point() else format
        (slot,) = layout.place([Slot(path, kept, tuple(value.shape), layout.contiguous(tuple(value.shape)))], start=at)
        if slot.end > outputs.size:
            raise Refusal(f"output {path} needs {slot.bytes} bytes, more than a case may have here")
        outputs.tensor(slot).copy_(value.detach())
        expected.append(Expected(path, format, slot))
        at = slot.end
    if truth and plain is not None and request.native:
        expected = list(_with_native(expected, plain, outputs, at))
    state = layout.place(run.state_slots(), start=layout.extent(request.slots))
    for slot in state:
        inputs.tensor(slot).copy_(run.state[slot.path])
    gradients = layout.place(run.gradient_slots(formats), start=layout.extent((*request.slots, *state)))
    if layout.extent((*state, *gradients)) > inputs.size:
        raise Refusal("parameters and gradients need more memory than a case may have here")
    for slot in gradients:
        inputs.tensor(slot).copy_(run.gradients[slot.path])
    unstable = tuple(p for (p, a), (_, b) in zip(found, again, strict=False) if not _same(a, b))
    narrow = tuple(watch.seen)[:20] if watch else ()
    mutated = (run.mutated.text, run.mutated.places) if run.mutated is not None else ("", {})
    return CaseReply(tuple(expected), tuple(state), tuple(gradients), narrow, unstable, *mutated)


def _sketch(module: types.ModuleType, spec: Spec, request: CaseRequest) -> CaseReply:
    """Where a module's state and the gradients fed in would lie, without any value."""
    state: list[Slot] = []
    gradients: list[Slot] = []
    if spec.contract == "module":
        init = domain.initial(spec, request.sizes)
        with torch.device("meta"):  # initial values would take longer than all else
            state = [_slot(name, value) for name, value in reference(module, spec)(**init).state_dict().items()]
    if spec.contract == "gradient":
        if spec.outputs is None:
            raise Refusal("the spec does not declare its outputs, so the gradients fed in are not known")
        for path, tensor in _declared(spec):
            shape = domain.shape(tensor.shape, request.sizes)
            strides = layout.contiguous(shape[::-1])[::-1]
            gradients.append(Slot(path or "0", "fp32", shape, strides))
    placed = layout.place(state, start=layout.extent(request.slots))
    return CaseReply((), placed, layout.place(gradients, start=layout.extent((*request.slots, *placed))))


def _native(run: _Run) -> Outputs | None:
    """The reference in the formats that it was given, the narrowest made wider: torch rounds their products to them."""
    for wider in (True, False):
        with contextlib.suppress(Exception):
            return run(lift=False, wider=wider)
    return None


def _with_native(expected: list[Expected], plain: Outputs, outputs: Arena, at: int) -> Iterator[Expected]:
    """What the reference itself gives in the formats that it was given, behind the truth, as far as there is room."""
    for item, (_, value) in zip(expected, plain, strict=True):
        (slot,) = layout.place([replace(item.truth, format=item.format)], start=at)
        if item.truth.format != "fp64" or slot.end > outputs.size or tuple(value.shape) != slot.shape:
            yield item
            continue
        outputs.tensor(slot).copy_(value.detach())
        at = slot.end
        yield replace(item, native=slot)


class _Run:
    """The reference on one case's inputs, as often as it is called, each time on copies of its own."""

    def __init__(self, module: types.ModuleType, spec: Spec, request: CaseRequest, arguments: Values, rng: Any) -> None:
        self._spec, self._arguments = spec, arguments
        self._reference = reference(module, spec)
        self._init = domain.initial(spec, request.sizes)
        self._rng = rng
        self._large, self._edit, self._shapes = request.large, request.edit, request.shapes
        self._path = module.__file__ or ""
        self.watch: lifting.NarrowWatch | None = None
        self.mutated: mutations.Mutated | None = None
        self.state: dict[str, torch.Tensor] = {}
        self.gradients: dict[str, torch.Tensor] = {}
        if spec.contract == "module":
            self._module = self._reference(**self._init)
            if not isinstance(self._module, torch.nn.Module):
                raise Refusal(f"Reference is no torch.nn.Module but makes a {type(self._module).__name__}")
            self.state = _random_state(self._module, rng)
            if self._edit is not None:
                self.state = edits.edited(self.state, self._edit)

    def __call__(self, *, lift: bool, wider: bool = False) -> Outputs:
        """What it gives: with `lift` on float64, with `wider` on float32 where it was given floats of 8 bits."""
        with contextlib.ExitStack() as stack:
            if lift:
                self.watch = stack.enter_context(lifting.float64())
            elif self._large:
                stack.enter_context(lifting.WideProducts())  # type: ignore[no-untyped-call]
            if self._edit is not None and self._edit.kind == "mutated":
                mutated = mutations.Mutated(self._path, self._edit.other, self._edit.start)
                self.mutated = stack.enter_context(mutated)
            arguments = {name: _copy(value, lift, wider) for name, value in self._arguments.items()}
            for name in self._spec.wrt:
                arguments[name].requires_grad_(True)
            returned = self._call(arguments, lift)
            found = self._within(_tensors(returned))
            if self._spec.contract == "gradient":
                found += self._backward(found, arguments)
        changed = [(f"changed.{name}", arguments[name]) for name in self._spec.changes if arguments[name] is not None]
        return [(path, value.detach()) for path, value in found] + self._within(changed)

    def _within(self, found: Outputs) -> Outputs:
        """Those parts that are looked at, where inputs are longer than they should be."""
        parts = {path: tuple(map(slice, shape)) for path, shape in self._shapes.items()}
        return [(path, value[parts[path]] if path in parts else value) for path, value in found]

    def _call(self, arguments: Values, lift: bool) -> Any:
        if self._spec.contract != "module":
            return self._reference(**arguments)
        module = self._module.double() if lift else self._module.to(dtype_of_state(self.state))
        module.load_state_dict({name: value.to(module.state_dict()[name].dtype) for name, value in self.state.items()})
        with torch.no_grad():
            return module(**arguments)

    def _backward(self, found: Outputs, arguments: Values) -> Outputs:
        live = [(path, value) for path, value in found if value.requires_grad]
        if not live:
            raise Refusal("no output depends on the inputs in wrt, so there is no gradient to compare")
        for path, value in live:
            if path not in self.gradients:
                drawn = torch.randn(value.shape, generator=self._rng, dtype=torch.float32)
                read = self._edit is not None and self._edit.kind == "flat" and path in self._edit.inputs
                self.gradients[path] = edits.flat(drawn) if read else drawn
        weights = [_round(self.gradients[path], value) for path, value in live]
        torch.autograd.backward([value for _, value in live], weights)
        grads = []
        for name in self._spec.wrt:
            grad = arguments[name].grad
            grads.append((f"grad.{name}", torch.zeros_like(arguments[name]) if grad is None else grad))
        return self._within(grads)

    def state_slots(self) -> list[Slot]:
        """The module's state, as it must be laid out for a candidate."""
        return [_slot(name, value) for name, value in self.state.items()]

    def gradient_slots(self, formats: list[str]) -> list[Slot]:
        """What is fed into the backward pass, turned: a gradient may come with any strides."""
        return [replace(_slot(path, value), strides=_turned(value)) for path, value in self.gradients.items()]


def dtype_of_state(state: dict[str, torch.Tensor]) -> torch.dtype:
    """The floating type that a module's state has."""
    return next((v.dtype for v in state.values() if v.is_floating_point()), torch.float32)


def _round(gradient: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return gradient.to(value.dtype)


def _slot(path: str, value: torch.Tensor) -> Slot:
    format = format_of(value.dtype)
    if format is None:
        raise Refusal(f"{path} is {value.dtype}, which is no number format that a kernel may be asked for")
    return Slot(path, format, tuple(value.shape), layout.contiguous(tuple(value.shape)))


def _turned(value: torch.Tensor) -> tuple[int, ...]:
    """The strides of a tensor whose first dimension is the innermost."""
    return layout.contiguous(tuple(value.shape)[::-1])[::-1]


def _random_state(module: torch.nn.Module, rng: torch.Generator) -> dict[str, torch.Tensor]:
    """Parameters as the module initialises them, each disturbed: weights of 0 or 1 would hide work left out."""
    state = {}
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            spread = float(value.std()) if value.numel() > 1 else 0.0
            noise = (torch.randn(value.shape, generator=rng) * (spread if spread > 0 else 0.25)).to(value.dtype)
            # A number on its own may be an epsilon or a variance: it keeps its sign and its order.
            value = value * noise.exp() if value.dim() == 0 and value != 0 else value + noise
        state[name] = value.detach().clone()
    return state


def _copy(value: Any, lift: bool, wider: bool) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if lift and value.is_floating_point():
        return value.double()
    if wider and value.is_floating_point() and value.element_size() == 1:
        return value.float()
    copied = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
    return copied.copy_(value)


def _tensors(returned: Any) -> Outputs:
    found = leaves(returned)
    for path, value in found:
        if not isinstance(value, torch.Tensor):
            raise Refusal(f"reference returns a {type(value).__name__} at {path}; it must return tensors")
    return found


def _formats(spec: Spec, request: CaseRequest, found: Outputs) -> list[str]:
    """The number format that a kernel's output must have, leaf by leaf, and whether the reference keeps its word."""
    declared = [(path or "0", item) for path, item in _declared(spec)] if spec.outputs is not None else None
    returned = [(p, v) for p, v in found if not p.startswith(("changed.", "grad."))]
    formats: dict[str, str] = {}
    if declared is not None:
        if len(declared) != len(returned):
            raise Refusal(f"reference returns {len(returned)} tensors, and outputs declares {len(declared)}")
        for (path, tensor), (got_path, value) in zip(declared, returned, strict=True):
            shape = domain.shape(tensor.shape, request.sizes)
            if tuple(value.shape) != shape:
                raise Refusal(f"output {path} is declared as {shape}, and reference returns {tuple(value.shape)}")
            format = spec.format(tensor.dtype, request.sizes, request.target)
            if (format.kind == "float") != value.is_floating_point():
                raise Refusal(f"output {path} is declared as {format.name}, and reference returns {value.dtype}")
            formats[got_path] = format.name
    for path, value in found:
        if path.startswith(("changed.", "grad.")):
            tensor = spec.tensors[path.partition(".")[2]]
            formats[path] = spec.format(tensor.dtype, request.sizes, request.target).name
        elif path not in formats:
            named = format_of(value.dtype)
            if named is None:
                raise Refusal(
                    f"output {path} is {value.dtype}, which is no number format that a kernel may be asked for"
                )
            formats[path] = named
    return [formats[path] for path, _ in found]


def _declared(spec: Spec) -> Iterator[tuple[str, Tensor]]:
    from geak_evaluator.schema.spec import leaves as tree_leaves

    yield from tree_leaves(spec.outputs)


def _inputs(module: types.ModuleType, about: Description, request: CaseRequest, arena: Arena, rng: Any) -> Values:
    spec = about.spec
    made: dict[str, Any] = {}
    if about.makes_inputs:
        made = module.make_inputs({**request.sizes}, rng)
        if not isinstance(made, dict):
            raise Refusal(f"make_inputs returns a {type(made).__name__}; it must return a dict of the inputs it makes")
        if unknown := sorted(set(made) - set(spec.inputs)):
            raise Refusal(f"make_inputs makes {', '.join(map(str, unknown))}, which no input declares")
    slots = {slot.path: slot for slot in request.slots}
    values: Values = {}
    for name, item in spec.inputs.items():
        if isinstance(item, Scalar):
            values[name] = made.get(name, request.sizes[name])
        elif name not in slots:
            values[name] = None
        else:
            values[name] = arena.tensor(slots[name])
            if name in made:
                _accept(name, made[name], values[name])
            elif not request.sketch or not values[name].is_floating_point():
                # Each input from a generator of its own: redrawing one leaves the others as they are.
                own = torch.Generator().manual_seed(request.seed ^ zlib.crc32(name.encode()))
                _fill(spec, item, slots[name], values[name], request, own)
    order = about.arguments or tuple(spec.inputs)
    return {name: values[name] for name in order}


def _accept(name: str, value: Any, tensor: torch.Tensor) -> None:
    if not isinstance(value, torch.Tensor):
        raise Refusal(f"make_inputs makes {name} as a {type(value).__name__}; it must be a tensor")
    if value.shape != tensor.shape:
        raise Refusal(f"make_inputs makes {name} of shape {tuple(value.shape)}, and {tuple(tensor.shape)} is declared")
    tensor.copy_(value.to(tensor.dtype))


def _fill(spec: Spec, item: Tensor, slot: Slot, tensor: torch.Tensor, request: CaseRequest, rng: Any) -> None:
    kind = dtypes.resolve(slot.format).kind
    chosen = Fill.parse(request.fills[slot.path]) if slot.path in request.fills else item.filled(kind)
    args = tuple(float(expr.value(text, request.sizes)) for text in chosen.args)
    try:
        fills.fill(tensor, slot.format, chosen.kind, args, rng)
    except (RuntimeError, ValueError, IndexError) as error:
        raise Refusal(f"{slot.path} cannot be filled with {chosen}: {error}") from error


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a, b) or bool(torch.allclose(a.double(), b.double(), rtol=1e-12, atol=1e-12, equal_nan=True))


def warm() -> None:
    """Goes once through the modes that torch loads parts of itself for."""
    with lifting.float64():
        torch.softmax(torch.ones(2, 2, dtype=torch.float16).float(), -1)
