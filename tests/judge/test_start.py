"""What a judge loads before it answers."""

from __future__ import annotations

import select
import socket
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


def test_a_warm_process_whose_judge_left_while_it_loaded_ends_quietly() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    number = theirs.fileno()
    code = f"import socket; from geak_evaluator.sandbox.zygote import serve; serve(socket.socket(fileno={number}), [])"
    warm = subprocess.Popen([sys.executable, "-c", code], pass_fds=[number], stderr=subprocess.PIPE, text=True)
    theirs.close()
    assert select.select([ours], [], [], 60)[0], "it never said that it is ready"
    ours.close()  # with its message unread, as a judge does that is killed
    assert warm.communicate(timeout=60) == (None, "")
    assert warm.returncode == 0
