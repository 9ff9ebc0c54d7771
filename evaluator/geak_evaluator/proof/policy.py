"""What a plan may hold, policy by policy, and how much of it a library does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from geak_evaluator.proof import spelled
from geak_evaluator.schema.dtypes import FORMATS, resolve
from geak_evaluator.schema.plan import MOST_STEPS, Argument, Copy, Fill, Launch, Library, Plan, Step, View
from geak_evaluator.schema.verdict import Cause, Policy

_PRODUCTS = "mm bmm addmm baddbmm mv addmv dot convolution"
_REDUCTIONS = (
    "sum mean prod amax amin max min any all argmax argmin var var_mean std cumsum cumprod logsumexp "
    "linalg_vector_norm _softmax _log_softmax native_layer_norm native_group_norm topk sort"
)
_POINTWISE = (
    "add sub rsub mul div neg abs exp exp2 log log2 sqrt rsqrt reciprocal pow sin cos tanh sigmoid relu gelu silu "
    "erf floor ceil round sign where maximum minimum clamp clamp_min clamp_max eq ne lt le gt ge isnan isinf "
    "remainder fmod logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_xor bitwise_not "
    "addcmul addcdiv lerp"
)
_SELECTIONS = (
    "index_select gather embedding index index_put scatter scatter_add index_add masked_fill tril triu flip roll "
    "arange constant_pad_nd max_pool2d_with_indices avg_pool2d"
)
NAMED = frozenset(f"{_PRODUCTS} {_REDUCTIONS} {_POINTWISE} {_SELECTIONS}".split())
"""The library operations of the policy `mixed`, in torch's names: they give one answer for one set of values."""


_FEW_BYTES = 128
_ELEMENTS_PER_BYTE = 16
"""Under `by_value`: a plan's numbers take a byte for so many elements of the result at most, beside few of any plan."""


def objection(
    plans: Sequence[Plan],
    *,
    policy: Policy = Policy.PURE,
    by_value: bool,
    elements: int,
    idle: bool = False,
    foretold: Plan | None = None,
) -> tuple[Cause, str] | None:
    """Why plans of one case, made on different values, are not accepted; None where they are.

    `by_value` lets launches follow the integers, which then are the same in all plans; `elements` are those of the
    result; `idle` where there is nothing to compute, or nothing to compute it from. `foretold` is a plan that was made
    on other integers, before these were shown.
    """
    first = plans[0]
    # A candidate that records its plan itself is bound by nothing of ours.
    if not all(_is_memory(view) for plan in plans for view in _all_views(plan)):
        return Cause.PROTOCOL, "its plan names memory in a form that no tensor has"
    if any(len(plan.steps) > MOST_STEPS + 1 for plan in plans):
        return Cause.PLAN_TOO_LONG, f"its wrapper asks for more than {MOST_STEPS} steps"
    # Not of the first alone: a later call may go on with what an earlier one left behind.
    unfit = next(filter(None, (_unfit(plan, policy) for plan in plans)), [])
    if unfit:
        names = ", ".join(dict.fromkeys(unfit[:4]))
        wanted = {
            Policy.PURE: "wants it in the kernel",
            Policy.MIXED: "does not name it among its library operations",
            Policy.OPEN: "cannot carry it out again",
        }
        return Cause.FOREIGN_WORK, f"it leaves work to torch: {names}; the policy '{policy.value}' {wanted[policy]}"
    if not first.launches and not idle and policy is not Policy.OPEN:
        return Cause.NO_KERNEL, "no Triton kernel was launched"
    if first.reads and not by_value:
        return (
            Cause.UNSTABLE_PLAN,
            f"its wrapper looks at values ({', '.join(first.reads)}), which the spec does not allow: decide by shapes "
            "and types, or let the spec say launches='by_value'",
        )
    # As text: a constant may be NaN, which equals nothing.
    if any(repr(plan) != repr(first) for plan in plans[1:]):
        followed = " while all integers stayed as they were" if by_value else " of the same sizes"
        return Cause.UNSTABLE_PLAN, f"it asked for different work on different values{followed}"
    if by_value and (said := spelled.size(first, foretold)) > _FEW_BYTES + elements // _ELEMENTS_PER_BYTE:
        return (
            Cause.PLAN_TOO_LONG,
            f"its plan follows values, and its numbers take {said} bytes, too many for {elements} elements",
        )
    return None


def _unfit(plan: Plan, policy: Policy) -> list[str]:
    return [*plan.foreign, *(step.operation for step in plan.library if not _allowed(step.operation, policy))]


def _allowed(operation: str, policy: Policy) -> bool:
    namespace, _, name = operation.partition(".")
    plain = name.partition(".")[0].removesuffix("_")
    return namespace == "aten" and (policy is Policy.OPEN or (policy is Policy.MIXED and plain in NAMED))


def overlapping(plan: Plan) -> str:
    """Which output has elements that share memory with one another; empty where none has."""
    for output in plan.outputs:
        reach = 0
        for stride, size in sorted(zip(output.view.strides, output.view.shape, strict=True)):
            if size > 1 and stride <= reach and 0 not in output.view.shape:
                strides = ", ".join(map(str, output.view.strides))
                return f"output {output.path} has strides ({strides}): some of its elements are one and the same"
            reach += (size - 1) * stride
    return ""


def share(plan: Plan) -> float:
    """Of the bytes that the steps of a plan touch, how many are touched by library operations."""
    library = sum(_bytes(view) for step in plan.library for view in _views(step))
    touched = sum(_bytes(view) for step in plan.steps for view in _views(step))
    return library / touched if touched else 0.0


def _bytes(view: View) -> int:
    return prod(view.shape) * resolve(view.format).bytes


def _all_views(plan: Plan) -> Iterator[View]:
    yield from (output.view for output in plan.outputs)
    for step in plan.steps:
        yield from _views(step)


def _is_memory(view: View) -> bool:
    numbers = (view.offset, *view.shape, *view.strides)
    fits = len(view.shape) == len(view.strides) and all(0 <= number < 1 << 48 for number in numbers)
    return fits and view.format in FORMATS


def _views(step: Step) -> Iterator[View]:
    if isinstance(step, Fill):
        yield step.view
        if step.of is not None:
            yield step.of
    elif isinstance(step, Copy):
        yield from (step.source, step.target)
    elif isinstance(step, Launch):
        yield from _named(step.arguments)
    elif isinstance(step, Library):
        yield from (*_named((*step.arguments, *step.keywords.values())), *step.results)


def _named(arguments: Sequence[Argument]) -> Iterator[View]:
    for item in arguments:
        if item.view is not None:
            yield item.view
        yield from _named(item.items)
