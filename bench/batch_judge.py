"""A judge for bench/batch.py: it accepts every kernel after a set time, in which it does nothing.

python batch_judge.py SECONDS
"""

from __future__ import annotations

import hashlib
import sys
import time

from geak_evaluator.schema import codec
from geak_evaluator.schema.spec import Axis, Case, Description, Spec, Tensor
from geak_evaluator.schema.verdict import CaseResult, Status, Tier, Verdict
from geak_evaluator.schema.wire import VERSION, Hello, Request, Response

ABOUT = Spec(axes={"N": Axis(1, 4096)}, inputs={"x": Tensor("N")}, cases=(Case({"N": 64}),), outputs=Tensor("N"))


def main() -> None:
    seconds = float(sys.argv[1])
    print(codec.dumps(Hello(VERSION, "3", {}, "scripted")), flush=True)
    for line in sys.stdin:
        request = codec.from_json(Request, codec.loads(line))
        if request.op == "describe":
            digest = hashlib.sha256(request.source.encode()).hexdigest()
            result = codec.to_json(Description("double", "Twice each element.", ABOUT, ("x",), sha256=digest))
        else:
            time.sleep(seconds)
            result = codec.to_json(_accepted(request.tier))
        print(codec.dumps(Response(request.id, result)), flush=True)


def _accepted(tier: Tier) -> Verdict:
    case = CaseResult(Case({"N": 64}), None, "")
    return Verdict("double", Status.ACCEPTED, "interpreter", "gfx942", "float64", "scripted", (case,), 1, tier=tier)


if __name__ == "__main__":
    main()
