"""Files that are no kernel, and kernels that do not come to an end: each is a verdict, and the judge goes on."""

import pytest
from trial import IMPORTS, KERNEL, SPEC, accepted, changed, rejected, verdict_on

from geak_evaluator.judge import Judge
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.verdict import Cause

pytestmark = pytest.mark.usefixtures("honest_afterwards")


@pytest.fixture(scope="session")
def impatient(box):
    """A judge that waits only as long as a busy machine needs for honest work."""
    return Judge(box, limits=Limits(wall_s=5))


@pytest.mark.parametrize(
    ("source", "cause", "words"),
    [
        (b"", Cause.NOT_PYTHON, ("the kernel file is empty; a kernel is a Python file",)),
        (b" \n\t\n", Cause.NOT_PYTHON, ("the kernel file is empty",)),
        (b"x = 1\ndef scale(x:\n", Cause.NOT_PYTHON, ("the kernel file, line 2", "a kernel must be Python")),
        (b"x = 1\n  y = 2\n", Cause.NOT_PYTHON, ("line 2: unexpected indent",)),
        (b"Here is the kernel:\n```python\n```", Cause.NOT_PYTHON, ("line 1", "must be Python")),
        (b"x = 1\0", Cause.NOT_PYTHON, ("null bytes",)),
        (b"x = '\xff\xfe'", Cause.NOT_PYTHON, ("line 1", "utf-8")),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), Cause.NOT_PYTHON, ("a kernel must be Python",)),
        (b"# coding: klingon\n", Cause.NOT_PYTHON, ("klingon",)),
        (b"x = " + b"-" * 100_000 + b"1", Cause.NOT_PYTHON, ("the kernel file",)),
        (b"x = " + b"(" * 5000 + b")" * 5000, Cause.NOT_PYTHON, ("the kernel file",)),
        (b"#" * (10 << 20), Cause.TOO_LARGE, ("over 1 MiB; a kernel is a Python file of a few hundred lines",)),
        (b"import torch\n", Cause.MISSING_ENTRY, ("it defines no scale",)),
        (b"scale = 3\n", Cause.MISSING_ENTRY, ("it has a int named scale",)),
        (b"def Scale(x): return x\n", Cause.MISSING_ENTRY, ("it defines no scale",)),
        (b"import xformers\n", Cause.MISSING_MODULE, ("No module named 'xformers'",)),
        (b"from torch import nothing_such\n", Cause.RAISED, ("ImportError: cannot import name 'nothing_such'",)),
        (b"import torch\n1 / 0\n", Cause.RAISED, ("ZeroDivisionError: division by zero",)),
        (b"def f(x):\n    assert x > 3\nf(1)\n", Cause.RAISED, ("AssertionError: assert x > 3",)),
        (b"import sys\nsys.exit(0)\n", Cause.RAISED, ("SystemExit: 0",)),
        (b"raise KeyboardInterrupt\n", Cause.RAISED, ("KeyboardInterrupt",)),
        (b"import os\nos._exit(0)\n", Cause.DIED, ("its process died",)),
        (b"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", Cause.DIED, ("its process died",)),
        (b"import ctypes\nctypes.string_at(0)\n", Cause.DIED, ("its process died",)),
        (b"raise MemoryError\n", Cause.OUT_OF_MEMORY, ()),
        (b"x = bytearray(1 << 40)\n", Cause.OUT_OF_MEMORY, ()),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
def test_a_file_that_is_no_kernel(judge, source, cause, words):
    rejected(verdict_on(judge, SPEC, source), cause, *words)


def test_the_line_of_a_fault_at_import_is_told(judge):
    assert verdict_on(judge, SPEC, b"import torch\n\n1 / 0\n").failure.line == 3


def test_a_warning_about_the_source_is_no_fault(judge):
    accepted(verdict_on(judge, SPEC, f'PATTERN = "\\d"  # no escape sequence\n{KERNEL}'))


def test_a_name_of_a_library_s_module_does_no_harm(judge):
    # A spec called copy.py must not be what `import copy` finds from then on.
    spec = changed(SPEC, ("outputs=", 'entry="scale", outputs='))
    for name in ("copy", "random", "torch"):
        accepted(verdict_on(judge, spec, KERNEL, name=name))


@pytest.mark.parametrize(
    "pairs",
    [
        [("    return y", "    while True: pass")],
        [("    value = tl.load", "    while n > 0:\n        n += 0\n    value = tl.load")],
    ],
    ids=["wrapper", "kernel"],
)
def test_what_hangs_is_ended(impatient, pairs):
    verdict = verdict_on(impatient, SPEC, changed(KERNEL, *pairs))
    rejected(verdict, Cause.TIMEOUT, "it did not finish in the time it has")


def test_what_hangs_at_import_is_ended(impatient):
    rejected(verdict_on(impatient, SPEC, b"while True: pass\n"), Cause.TIMEOUT)


def test_what_prints_without_end_is_ended(judge):
    source = changed(KERNEL, ("    return y", "    while True: print('x' * 10000)"))
    verdict = verdict_on(judge, SPEC, source)
    rejected(verdict, Cause.OUTPUT_FLOOD, "it printed without end")
    assert len(verdict.log) <= 16 << 10


def test_what_prints_a_little_is_no_fault(judge):
    accepted(verdict_on(judge, SPEC, changed(KERNEL, ("    return y", "    print('x' * 10000)\n    return y"))))


def test_what_forks_is_judged_by_what_it_returns(judge):
    # The second process returns as well, and would speak over the first.
    fork = "    import os\n    if os.fork() == 0:\n        while True: pass\n    return y"
    accepted(verdict_on(judge, SPEC, changed(KERNEL, ("    return y", fork))))


def test_both_sides_of_a_fork_may_not_answer(judge):
    verdict = verdict_on(judge, SPEC, changed(KERNEL, ("    return y", "    import os\n    os.fork()\n    return y")))
    assert verdict.failure is None or verdict.failure.cause in (Cause.PROTOCOL, Cause.DIED)


def test_a_thread_that_goes_on_does_not_reach_the_outputs(judge):
    late = """    import threading
    def spoil():
        while True: y.fill_(7)
    threading.Thread(target=spoil, daemon=True).start()
    return y"""
    verdict = verdict_on(judge, SPEC, changed(KERNEL, ("    return y", late)))
    assert verdict.failure is None or verdict.failure.cause is Cause.WRONG_VALUES


def test_a_kernel_that_answers_for_itself_is_no_answer(judge):
    forged = f"""{IMPORTS}
import gc
from geak_evaluator.sandbox.channel import Channel

def scale(x):
    for thing in gc.get_objects():
        if type(thing) is Channel:
            thing.reply(b"nonsense")
    return x * 2 + 1
"""
    verdict = verdict_on(judge, SPEC, forged)
    assert verdict.failure is not None, "an unreadable reply passed for a good one"
    assert verdict.failure.cause in (Cause.PROTOCOL, Cause.UNWRITTEN, Cause.WRONG_VALUES, Cause.NO_KERNEL)
