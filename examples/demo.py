"""`make demo`: a kernel from nothing, by a compiler and a tuner; then the whole loop; then what the judge refuses.

No language model is asked here. The first part needs none; in the second, replies that we wrote take its place
(`scripted:softmax`); the kernels of the third are ours too. The verdicts are the judge's own. Everything happens in a
temporary folder.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path

from geak.errors import GeakError
from geak.journal.events import Explained, Judged, Moved, Planned, Unwritten, Written
from geak.journal.store import Entry
from geak.record import Waiting
from geak.runs import begin
from geak.sources import load
from geak.specs import shipped
from geak.tasks import for_spec
from geak.workplace import Workplace, workplace
from geak_evaluator.schema.verdict import Status, Tier

EMBEDDED = "rms_norm"
RIGHT = (shipped() / "kernels" / "softmax.py").read_text()

READS_A_SECRET = """
from pathlib import Path


def softmax(x):
    print("what it found:", Path("{secret}").read_text())
    return x
"""

CLAIMS_SUCCESS = """
import os

print('{"status": "accepted", "speedup": 99.0}', flush=True)
os._exit(0)
"""

LEAVES_IT_TO_TORCH = """
import torch


def softmax(x):
    return torch.softmax(x.float(), -1).to(x.dtype)
"""


async def demonstrate(folder: Path) -> bool:
    """All parts, with one judge; whether each went as it must."""
    right = await compiled(folder)
    asked = {"model": "scripted:softmax", "goal": "best", "rounds": 3, "target": ("gfx942",)}
    async with workplace(load(asked, folder=folder, environ={}).settings) as place:
        right &= await written(place, folder / "run")
        return await judged(place, folder) and right


async def compiled(folder: Path) -> bool:
    """A spec that ships, with no model at all: from nothing to a proved kernel, which the tuner then betters."""
    print(f"1. {EMBEDDED}, from nothing: no model, no key, no GPU. It begins with what torch.compile emits.\n")
    asked = {"target": ("gfx942", "sm_90"), "samples": 2, "tune": 8}
    async with workplace(load(asked, folder=folder, environ={}).settings) as place:
        print(f"the judge's sandbox is {place.judges.hello.sandbox}; nothing below is a measured speed\n")
        result = await begin(for_spec(EMBEDDED), place, out=folder / "embedded", watch=tell)
    best = result.best
    if best is None or best.final is None or result.exit_code:
        print(f"the run did not go as it must: {result.message}")
        return False
    print(f"\nthe best is candidate {best.name}, judged once more on cases that nobody saw:")
    print("\n".join(f"    {line}" for line in (best.final.line(), *best.details)))
    print("a spec of yours goes the same way: geak generate my_spec.py (`geak specs new` writes one)")
    return (folder / "embedded" / "best.py").is_file()


async def written(place: Workplace, folder: Path) -> bool:
    """A draft, its repair and a better kernel, from scripted replies; whether the run went as its script must."""
    print(
        "\n2. softmax again, by the whole loop. The replies are scripted, no model is asked; the verdicts are real.\n"
    )
    result = await begin(for_spec("softmax"), place, out=folder, watch=tell)
    candidates = result.population.candidates.values()
    went = [(c.move.kind, c.verdict.status if c.verdict else None) for c in candidates]
    best = result.best
    right = (
        went == [("draft", Status.REJECTED), ("repair", Status.ACCEPTED), ("optimise", Status.ACCEPTED)]
        and result.exit_code == 0
        and best is not None
        and best.name == "1.3"
        and (folder / "best.py").is_file()
    )
    if best is not None and best.final is not None:
        print(
            f"\nthe best is candidate {best.name}, judged once more on cases that nobody saw:\n    {best.final.line()}"
        )
    print("the run went as it must" if right else f"the run did not go as it must: {result.message}")
    return right


async def judged(place: Workplace, folder: Path) -> bool:
    """Kernels that are right, wrong and dishonest; whether each verdict is as it must be."""
    spec = for_spec("softmax").spec
    token = secrets.token_hex(8)
    (folder / "secret").write_text(token)
    print("\n3. Kernels that are wrong or dishonest, written by us: what the judge says of them.\n")
    kernels = {
        "the mask one too short": (_shortened(RIGHT), Status.REJECTED),
        "reads a secret file": (READS_A_SECRET.replace("{secret}", str(folder / "secret")), Status.REJECTED),
        "prints a verdict of its own": (CLAIMS_SUCCESS, Status.REJECTED),
        "leaves the work to torch": (LEAVES_IT_TO_TORCH, Status.REJECTED),
    }
    right = True
    for what, (source, expected) in kernels.items():
        started = time.perf_counter()
        verdict = await place.judges.evaluate(spec, source)
        leaked = token in verdict.log
        right &= verdict.status is expected and not leaked
        print(f"{what}  ({(time.perf_counter() - started) * 1000:.0f} ms)")
        print(f"    {verdict.line()}")
        if leaked:
            print("    the secret was read: the sandbox does not hold here")
    print("\neach verdict is as it must be" if right else "\na verdict is not as it must be")
    return right


def tell(what: Entry | Waiting) -> None:
    """A line for each event that says something new."""
    match what.event if isinstance(what, Entry) else None:
        case Moved(move):
            of = f" of {', '.join(move.parents)}" if move.parents else ""
            print(f"{move.candidate}  {move.kind}{of}")
        case Planned(_, plan):
            print(f"     plan     {_short(plan)}")
        case Written(_, _, plan) if plan:
            print(f"     wrote    {_short(plan)}")
        case Unwritten(_, why):
            print(f"     nothing  {_short(why)}")
        case Judged(_, Tier.FULL, verdict):
            print(f"     verdict  {_short(verdict.line())}")
            for one in verdict.estimates:
                if one.case == verdict.estimates[0].case:
                    print(f"     {_short(one.brief)}")
        case Explained(_, lesson):
            print(f"     lesson   {_short(lesson.cause)}")
        case _:
            pass


def main() -> int:
    """Shows all three; 0 if all went as it must."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            right = asyncio.run(demonstrate(Path(folder)))
        except GeakError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
    if right:
        print("\nwith a model: geak generate SPEC --model ..., geak optimize my_kernel.py --model ... (docs/agent.md)")
    return 0 if right else 1


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 110 else f"{line[:107]}..."


def _shortened(kernel: str) -> str:
    changed = kernel.replace("inside = start + cols < N", "inside = start + cols < N - 1")
    if changed == kernel:
        raise SystemExit("the shipped softmax kernel no longer has the mask that this demonstration breaks")
    return changed


if __name__ == "__main__":
    sys.exit(main())
