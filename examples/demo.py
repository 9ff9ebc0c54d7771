"""`make demo`: a right, a wrong and three dishonest kernels for one spec, each judged for real, on this machine.

No model is asked here: the kernels below are written by us.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from pathlib import Path

from geak.judge import Judge
from geak.specs import find, shipped
from geak_evaluator.schema.verdict import Status

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


def main() -> int:
    """Judges them all; 0 if each verdict is as it must be."""
    spec = find("softmax")
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder, Judge() as judge:
        hidden = Path(folder) / "secret"
        hidden.write_text(token)
        about = judge.describe(spec)
        print(f"spec       {about.name}: {about.title}  ({len(about.spec.cases)} cases, {about.spec.oracle} oracle)")
        print(f"sandbox    {judge.hello.sandbox}")
        print("kernels    written by us; no model is asked, and no GPU is used\n")
        kernels = {
            "a plain kernel": (RIGHT, Status.ACCEPTED),
            "the mask one too short": (_shortened(RIGHT), Status.REJECTED),
            "reads a secret file": (READS_A_SECRET.replace("{secret}", str(hidden)), Status.REJECTED),
            "prints a verdict of its own": (CLAIMS_SUCCESS, Status.REJECTED),
            "leaves the work to torch": (LEAVES_IT_TO_TORCH, Status.REJECTED),
        }
        right = True
        for what, (source, expected) in kernels.items():
            path = Path(folder) / "kernel.py"
            path.write_text(source)
            started = time.perf_counter()
            verdict = judge.evaluate(spec, path)
            leaked = token in verdict.log
            right &= verdict.status is expected and not leaked
            print(f"{what}  ({(time.perf_counter() - started) * 1000:.0f} ms)")
            print(f"    {verdict.line()}")
            if leaked:
                print("    the secret was read: the sandbox does not hold here")
    print("\neach verdict is as it must be" if right else "\na verdict is not as it must be")
    return 0 if right else 1


def _shortened(kernel: str) -> str:
    changed = kernel.replace("inside = start + cols < N", "inside = start + cols < N - 1")
    if changed == kernel:
        raise SystemExit("the shipped softmax kernel no longer has the mask that this demonstration breaks")
    return changed


if __name__ == "__main__":
    sys.exit(main())
