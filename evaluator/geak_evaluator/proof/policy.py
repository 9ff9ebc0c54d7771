"""What a plan may hold: the policy `pure` allows memory, constants, copies with casts, and launches."""

from __future__ import annotations

from collections.abc import Sequence

from geak_evaluator.schema import codec
from geak_evaluator.schema.plan import Plan
from geak_evaluator.schema.verdict import Cause


def objection(plans: Sequence[Plan], *, by_value: bool, idle: bool = False) -> tuple[Cause, str] | None:
    """Why plans of one case, made on different values, are not accepted; None where they are.

    `by_value` lets launches follow the values; `idle` says that there is nothing to compute.
    """
    first = plans[0]
    foreign = next((plan.foreign for plan in plans if plan.foreign), ())  # a later call may go on with what one left
    if foreign:
        names = ", ".join(foreign[:4])
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
    # As text, in which NaN is NaN.
    if len({codec.dumps(plan) for plan in plans}) > 1:
        return Cause.UNSTABLE_PLAN, "it asked for different work on different values of the same sizes"
    return None
