"""What a plan may hold: the policy `pure` allows memory, constants, copies with casts, and launches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from geak_evaluator.schema.plan import Argument, Copy, Launch, Plan
from geak_evaluator.schema.verdict import Cause


def objection(plans: Sequence[Plan], *, by_value: bool, idle: bool = False) -> tuple[Cause, str] | None:
    """Why plans of one case, made on different values, are not accepted; None where they are.

    `by_value` lets launches follow the values; `idle` says that there is nothing to compute.
    """
    first = plans[0]
    if first.foreign:
        names = ", ".join(first.foreign[:4])
        return Cause.FOREIGN_WORK, f"it leaves work to torch: {names}; the policy 'pure' wants it in the kernel"
    if not first.launches and not idle:
        return Cause.NO_KERNEL, "no Triton kernel was launched"
    if by_value:
        return None
    if first.reads:
        return (
            Cause.UNSTABLE_PLAN,
            f"its wrapper looks at values ({', '.join(first.reads)}), which the spec does not allow",
        )
    if any(plan != first for plan in plans[1:]):
        return Cause.UNSTABLE_PLAN, "it asked for different work on different values of the same sizes"
    return None


def borrowed(plan: Plan, given: Mapping[int, str]) -> tuple[Cause, str] | None:
    """Whether an output holds what an input holds and nothing else, and so is right without any kernel.

    `given` names the storages that hold inputs and may not be changed.
    """
    holds, computed = dict(given), set[int]()
    for step in plan.steps:
        if isinstance(step, Launch):
            computed.update(storage for storage in _storages(step.arguments) if storage not in given)
        elif isinstance(step, Copy) and step.source.storage in computed:
            computed.add(step.target.storage)
        elif isinstance(step, Copy) and step.source.storage in holds:
            holds[step.target.storage] = holds[step.source.storage]
    for output in plan.outputs:
        storage = output.view.storage
        # A gradient may well be an input as it is, such as that of a product of two numbers.
        if storage in holds.keys() - computed and 0 not in output.view.shape and not output.path.startswith("grad."):
            text = f"no kernel wrote output {output.path}: it is the input {holds[storage]}, viewed or copied"
            return Cause.NO_KERNEL, text
    return None


def _storages(arguments: Iterable[Argument]) -> Iterable[int]:
    for argument in arguments:
        if argument.view is not None:
            yield argument.view.storage
        yield from _storages(argument.items)
