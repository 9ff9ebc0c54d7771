"""What a judge loads before it answers."""

from __future__ import annotations

import subprocess
import sys

WARM = """
import importlib, sys
from geak_evaluator.sandbox.box import PRELOAD
for name in PRELOAD:
    module = importlib.import_module(name)
    if name.startswith("geak_evaluator."):
        getattr(module, "prepare", lambda: None)()
print("torch" in sys.modules, "torch._dynamo" in sys.modules)
"""


def test_a_judge_starts_without_torchs_compiler() -> None:
    said = subprocess.run([sys.executable, "-c", WARM], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False"]
