"""A judge for tests of the loop: it speaks the wire's words, and a kernel's own comments decide its verdict.

In a spec, "# seeds: 2" is how many kernels a compiler has for it, "# trouble: ..." why it has none, "# starter:
mine.py" the kernel that it names to begin from, "# unreadable: ..." why it is no spec, "# kills" that the judge ends
over it, "# never" that no kernel for it is accepted. In a kernel:

# verdict: accepted | rejected | undecided      at the full tier (accepted, if nothing is said)
# final: rejected                               at the final tier
# width: 128                                    bits that each load has, by the compiler's word
# dies                                          the judge ends in the middle of its work
# tuned: 128                                    bits that each load has in the tuner's best configuration
# burns: 0.2                                    seconds of processor time that a verdict takes
# waits: FILE                                   says in FILE that it was asked; the first time it waits for FILE.go
                                                (in its name SPEC is the spec's)
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import stage  # beside this file

from geak_evaluator.schema import codec
from geak_evaluator.schema.findings import Findings
from geak_evaluator.schema.machine_code import Counts, Figures
from geak_evaluator.schema.seed import Seed, Seeds
from geak_evaluator.schema.spec import Axis, Case, Description, Spec, Tensor
from geak_evaluator.schema.tuning import Configuration, Ranking, Tuning
from geak_evaluator.schema.verdict import CaseResult, Cause, Code, Status, Tier, Verdict
from geak_evaluator.schema.wire import VERSION, Hello, Problem, Request, Response

ABOUT = Description(
    "double",
    "Twice each element.",
    Spec(axes={"N": Axis(1, 4096)}, inputs={"x": Tensor("N")}, cases=(Case({"N": 64}),), outputs=Tensor("N")),
    ("x",),
)


def main() -> None:
    say(Hello(VERSION, "3.11", {"torch": "2.13", "triton": "3.9"}, "isolated"))
    for line in sys.stdin:
        request = codec.from_json(Request, codec.loads(line))
        if "# kills" in request.source:
            os._exit(7)
        if request.op == "describe" and (why := re.findall(r"^# unreadable: *(.*)$", request.source, re.MULTILINE)):
            say(Response(request.id, problem=Problem("spec", why[0])))
        elif request.op == "describe":
            starter = "".join(re.findall(r"^# starter: *(.*)$", request.source, re.MULTILINE))
            about = replace(ABOUT, spec=replace(ABOUT.spec, starter=starter))
            digest = hashlib.sha256(request.source.encode("utf-8", "surrogateescape")).hexdigest()
            say(Response(request.id, codec.to_json(replace(about, sha256=digest))))
        elif request.op == "seed":
            say(Response(request.id, codec.to_json(seeds(request))))
        elif request.op == "tune":
            say(Response(request.id, codec.to_json(tuning(request))))
        elif request.op == "lint":
            say(Response(request.id, codec.to_json(Findings("double", cases=1))))
        else:
            say(Response(request.id, codec.to_json(verdict(request))))


def seeds(request: Request) -> Seeds:
    said = dict(re.findall(r"^# (\w+): *(.*)$", request.source, re.MULTILINE))
    kernels = [stage.kernel(n, "width: 64", "tuned: 128") for n in range(int(said.get("seeds", 0)))]
    found = tuple(Seed(f"inductor-{n}", f"Variant {n} of a compiler.", source) for n, source in enumerate(kernels))
    return Seeds(found, said.get("trouble", ""))


def tuning(request: Request) -> Tuning:
    width = re.search(r"^# tuned: *(\d+)$", request.kernel, re.MULTILINE)
    if width is None:
        return Tuning(note="there is no number that could be another")
    best = Configuration({"BLOCK": 512}, {"load_bits": float(width[1])})
    ranking = Ranking(request.targets[0], "compiled", (best, Configuration({"BLOCK": 256})), present={"BLOCK": 256})
    source = re.sub(r"# width: *\d+", f"# width: {width[1]}", request.kernel).replace("256", "512")
    note = "in the order of compile figures, not of speed"
    tried, picked = request.evaluations, best.values
    return Tuning(rankings=(ranking,), source=source, proved=True, picked=picked, tried=tried, note=note)


def verdict(request: Request) -> Verdict:
    said = dict(re.findall(r"^# (\w+): *(.*)$", request.kernel, re.MULTILINE))
    if "# dies" in request.kernel:
        os._exit(7)
    if "waits" in said and request.tier is Tier.FULL:
        mark = said["waits"].replace("SPEC", Path(request.path).stem)
        with open(mark, "a") as file:
            file.write("asked\n")
        first = Path(mark).read_text() == "asked\n"
        while first and not os.path.exists(f"{mark}.go"):
            time.sleep(0.02)
    until = time.process_time() + float(said.get("burns", 0))
    while time.process_time() < until:
        pass
    if "# never" in request.source:
        said["verdict"] = "rejected"
    word = said.get("final", "accepted") if request.tier is Tier.FINAL else said.get("verdict", "accepted")
    status = Status(word)
    cause = {Status.ACCEPTED: None, Status.REJECTED: Cause.WRONG_VALUES, Status.UNDECIDED: Cause.UNSUPPORTED}[status]
    case = CaseResult(Case({"N": 64}), cause, "" if cause is None else "wrong at [0]: got 1, expected 2")
    counts = Counts(loads={said.get("width", "32"): 4})
    figures = Figures("gfx942", "double_kernel", 4, 2, 0, 0, 8.0, 8, ("waves",), 400, counts, vgprs=16)
    code = (Code("gfx942", (figures,)),) if status is Status.ACCEPTED else ()
    return Verdict(
        "double", status, "interpreter", "gfx942", "float64", "isolated", (case,), 1, tier=request.tier, code=code
    )


def say(message: object) -> None:
    print(codec.dumps(message), flush=True)


if __name__ == "__main__":
    main()
