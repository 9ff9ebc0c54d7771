"""Plans that say more than a wrapper asked for: forged, bloated, or made to follow the values."""

from __future__ import annotations

import pytest

from geak_evaluator.judge import Judge
from geak_evaluator.schema.verdict import Cause
from tests.cheats.scene import HONEST, Expected, accepted, refused, verdict

FORGE = """
import gc
import os

from geak_evaluator.children.fingerprints import fingerprint
from geak_evaluator.sandbox.channel import Channel
from geak_evaluator.schema import codec
from geak_evaluator.schema.exchange import RunReply
from geak_evaluator.schema.plan import *


def say(*steps, outputs=None, **more):
    \"\"\"Gives the judge's every question this plan for an answer, past our own recorder.\"\"\"
    made = Plan(steps, (Output("0", whole(1)),) if outputs is None else outputs, **more)
    channel = next(c for c in gc.get_objects() if type(c) is Channel)
    while True:
        channel.reply(codec.dumps(RunReply(plan=made)).encode())
        if channel.receive() is None:
            os._exit(0)


def whole(storage, at=0, size=None, format="fp32"):
    return View(storage, format, at, (N if size is None else size,), (1,))


def launched(name="kernel", given=0, taken=1, grid=None, **options):
    arguments = [Argument("tensor", view=whole(given)), Argument("tensor", view=whole(taken))]
    arguments += [Argument("number", number=N), Argument("number", number=32)]
    grid = grid or (triton.cdiv(N, 32), 1, 1)
    return Launch(name, "", grid, tuple(arguments), options, fingerprint(kernel))


def double(x):
    global N
    N = x.numel()
"""

FORGED: dict[str, Expected] = {
    "C12-K26-the-work-itself": ("say(Allocate(1, 4 * N), Fill(whole(1), 2.0))", Cause.NO_KERNEL),
    "C13-no-work-at-all": ("say(Allocate(1, 4 * N), Allocate(2, 4 * N), launched(taken=2))", Cause.UNWRITTEN),
    "element-by-element": (
        "say(Allocate(1, 4 * N), launched(), *(Fill(whole(1, i, 1), float(v) * 2) for i, v in enumerate(x.numpy())))",
        Cause.WRONG_VALUES,
    ),
    "the-same-lie-twice": (
        "say(Allocate(1, 4 * N), launched(), *(Fill(whole(1, i, 1), float(i)) for i in range(N)))",
        Cause.WRONG_VALUES,
    ),
    "K45-endless": ("say(Allocate(1, 4 * N), launched(), *[Fill(whole(1), 0.0)] * 2100)", Cause.PLAN_TOO_LONG),
    "the-poison-allocated-away": ("say(Allocate(0, 4 * N), launched(), Allocate(1, 4 * N))", Cause.RAISED),
    "memory-that-is-not-there": ("say(launched(taken=7))", Cause.RAISED),
    "memory-past-its-end": ("say(Allocate(1, 4 * N), launched(), Fill(whole(1, N), 0.0))", Cause.RAISED),
    "memory-before-its-start": ("say(Allocate(1, 4 * N), launched(), Fill(whole(1, -N), 0.0))", Cause.PROTOCOL),
    "too-much-memory": ("say(Allocate(1, 1 << 60), launched())", Cause.RAISED),
    "negative-memory": ("say(Allocate(1, -1), launched())", Cause.RAISED),
    "a-format-of-its-own": (
        "say(Allocate(1, 4 * N), Fill(whole(1, format='object'), 0.0), launched())",
        Cause.PROTOCOL,
    ),
    "strides-without-a-shape": (
        "say(Allocate(1, 4 * N), launched(), outputs=(Output('0', View(1, 'fp32', 0, (N,), (1, 1))),))",
        Cause.PROTOCOL,
    ),
    "a-size-beyond-all-memory": (
        "say(Allocate(1, 4 * N), launched(), Fill(whole(1, 0, 1 << 62), 0.0))",
        Cause.PROTOCOL,
    ),
    "a-kernel-of-another-s": ("say(Allocate(1, 4 * N), launched('triton'))", Cause.NOT_PLAIN),
    "a-kernel-of-triton-s": ("say(Allocate(1, 4 * N), launched('tl'))", Cause.NOT_PLAIN),
    "an-attribute-for-a-kernel": ("say(Allocate(1, 4 * N), launched('__loader__'))", Cause.NOT_PLAIN),
    "a-warm-up-for-a-launch": ("say(Allocate(1, 4 * N), launched(warmup=True))", Cause.RAISED),
    "an-option-that-nobody-knows": ("say(Allocate(1, 4 * N), launched(answer=42))", Cause.RAISED),
    "a-grid-of-nothing": ("say(Allocate(1, 4 * N), launched(grid=(0, 1, 1)))", Cause.UNWRITTEN),
    "a-grid-below-nothing": ("say(Allocate(1, 4 * N), launched(grid=(-1, 1, 1)))", Cause.UNWRITTEN),
    "no-output": ("say(Allocate(1, 4 * N), launched(), outputs=())", Cause.RAISED),
    "memory-that-grows": ("say(Allocate(1, 4), launched())", Cause.RAISED),
    "K39-an-output-to-be-spread": (
        "say(Allocate(1, 4 * N), launched(), outputs=(Output('0', View(1, 'fp32', 0, (1,), (1,))),))",
        Cause.WRONG_SHAPE,
    ),
    "an-output-without-strides": (
        "say(Allocate(1, 4 * N), launched(), outputs=(Output('0', View(1, 'fp32', 0, (N,), (0,))),))",
        Cause.WRONG_STRIDES,
    ),
    "K41-the-input-for-an-output": ("say(launched(taken=0), outputs=(Output('0', whole(0)),))", Cause.CHANGED_INPUT),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_plan_is_carried_out_and_found_wrong(judge: Judge, name: str) -> None:
    line, cause = FORGED[name]
    refused(verdict(judge, f"{FORGE}    {line}\n"), cause)


def test_the_forger_can_also_tell_the_truth(judge: Judge) -> None:
    accepted(verdict(judge, f"{FORGE}    say(Allocate(1, 4 * N), launched())\n"))


CHEATS: dict[str, Expected] = {
    "K39-a-check-that-checks-nothing": (
        """
from geak_evaluator.children import running

running.check = lambda *a: None


def double(x):
    return launch(kernel, x, torch.empty_like(x, dtype=torch.float64))
""",
        Cause.WRONG_DTYPE,
    ),
    "a-constant-by-value": (
        """
def double(x):
    y = torch.empty_like(x)
    launch(decoy, x, y)
    y.fill_(x[0].item() * 2)
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
    "launches-by-value": (
        """
def double(x):
    y = torch.empty_like(x)
    for _ in range(1 + int(abs(x.numpy()[0] * 1e6)) % 7):
        launch(kernel, x, y)
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
    "numbers-by-value": (
        """
def double(x):
    y = launch(kernel, x, torch.empty_like(x))
    for i, value in enumerate(x.numpy()):
        one[(1,)](y, i, float(value) * 2)
    return y


@triton.jit
def one(y, i, value):
    tl.store(y + i, value)
""",
        Cause.UNSTABLE_PLAN,
    ),
    "K45-endless": (
        """
def double(x):
    y = torch.empty_like(x)
    while True:
        y.zero_()
""",
        Cause.PLAN_TOO_LONG,
    ),
    "a-recorder-that-does-not-record": (
        """
def double(x):
    import geak_evaluator.children.capture as capture
    capture.Recorder.launched = lambda *a: None
    return launch(decoy, x, torch.empty_like(x))
""",
        Cause.NO_KERNEL,
    ),
    "a-recorder-that-notes-another-kernel": (
        """
from geak_evaluator.children import candidate


def double(x):
    y = torch.empty_like(x)
    take = candidate.Launches.take
    candidate.Launches.take = lambda self, launch: take(self, launch) or launch.grid
    decoy.fn.__name__ = "kernel"
    return launch(decoy, x, y).mul_(2)
""",
        Cause.FOREIGN_WORK,
    ),
    "a-recorder-that-forgets": (
        """
import gc


def double(x):
    from geak_evaluator.children.capture import Recorder
    y = launch(kernel, x, torch.empty_like(x))
    y.mul_(2)
    for found in gc.get_objects():
        if type(found) is Recorder:
            found._marks.clear()
            found._steps.clear()
            found.reads.clear()
    return y
""",
        Cause.NO_KERNEL,
    ),
    "a-launcher-of-its-own": (
        """
from triton.runtime.jit import JITFunction

JITFunction.run = lambda self, *args, **rest: args[1].numpy().__setitem__(slice(None), args[0].numpy() * 2)


def double(x):
    return launch(kernel, x, torch.empty_like(x))
""",
        Cause.NO_KERNEL,
    ),
    "a-driver-of-its-own": (
        """
import triton.runtime

triton.runtime.driver.set_active(None)


def double(x):
    return launch(kernel, x, torch.empty_like(x))
""",
        Cause.RAISED,
    ),
    "an-interpreter-of-its-own": (
        """
import triton.runtime.interpreter as interpreter

import geak_evaluator.device.programs as ours

interpreter.interpreter_builder = ours.run = None


def double(x):
    return launch(decoy, x, torch.empty_like(x))
""",
        Cause.WRONG_VALUES,
    ),
    "memory-from-import": (
        """
kept = torch.empty(70, device="cuda")


def double(x):
    return launch(kernel, x, kept)
""",
        Cause.FOREIGN_WORK,
    ),
    "a-constant-tensor": (
        """
def double(x):
    two = torch.tensor([2.0] * x.numel(), device=x.device)
    return launch(decoy, two, torch.empty_like(x))
""",
        Cause.WRONG_VALUES,
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_what_a_wrapper_does_to_its_record_does_not_help_it(judge: Judge, name: str) -> None:
    wrapper, cause = CHEATS[name]
    refused(verdict(judge, wrapper), cause)


RAGGED = '''"""Double each element, segment by segment; how long each is stands in `ends`."""

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(8, 4096), "S": Axis(1, 8)},
    inputs={"x": Tensor("N"), "ends": Tensor("S + 1", "int32", fill="offsets(N)")},
    outputs=Tensor("N"),
    cases=[{"N": 70, "S": 3}],
    launches="by_value",
)


def reference(x, ends):
    return x * 2
'''

FOLLOWING: dict[str, tuple[str, Cause | None]] = {
    "a-launch-for-each-segment": (
        """
def ragged(x, ends):
    y = torch.empty_like(x)
    for first, last in zip(ends.tolist(), ends.tolist()[1:]):
        if last > first:
            launch(kernel, x[first:last], y[first:last])
    return y
""",
        None,
    ),
    "results-in-fills": (
        """
def ragged(x, ends):
    y = launch(decoy, x, torch.empty_like(x))
    for i, value in enumerate(x.tolist()):
        y[i : i + 1].fill_(value * 2)
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
    "results-in-numbers": (
        """
@triton.jit
def one(y, i, value):
    tl.store(y + i, value)


def ragged(x, ends):
    y = torch.empty_like(x)
    for i, value in enumerate(x.numpy()):
        one[(1,)](y, i, float(value) * 2)
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
    "results-in-a-tuple": (
        """
@triton.jit
def many(y, values):
    for i in tl.static_range(70):
        tl.store(y + i, values[i])


def ragged(x, ends):
    y = torch.empty_like(x)
    many[(1,)](y, tuple(float(value) * 2 for value in x.numpy()))
    return y
""",
        Cause.UNSTABLE_PLAN,
    ),
}


@pytest.mark.parametrize("name", FOLLOWING)
def test_launches_may_follow_integers_and_no_more(judge: Judge, name: str) -> None:
    wrapper, cause = FOLLOWING[name]
    found = verdict(judge, wrapper, spec=RAGGED, name="ragged")
    accepted(found) if cause is None else refused(found, cause)


COUNTED = '''"""How often the first of some small numbers stands in front of each."""

import torch

from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 4096)},
    inputs={"x": Tensor("N", "int32", fill="integers(0, 9)")},
    outputs=Tensor("N", "int32"),
    cases=[{"N": 200}],
    oracle="exact",
    launches="by_value",
)


def reference(x):
    return torch.cumsum(x == x[0], 0).to(torch.int32)
'''


def test_integers_that_follow_integers_are_counted(judge: Judge) -> None:
    wrapper = """
@triton.jit
def one(y, i, value):
    tl.store(y + i, value)


def counted(x):
    y = torch.empty_like(x)
    for i, value in enumerate((x.numpy() == x.numpy()[0]).cumsum()):
        one[(1,)](y, i, int(value))
    return y
"""
    refused(verdict(judge, wrapper, spec=COUNTED, name="counted"), Cause.PLAN_TOO_LONG)


SPELLED: dict[str, str] = {
    "in-scalars": """
@triton.jit
def four(y, a, b, c, d):
    tl.store(y, a)
    tl.store(y + 1, b)
    tl.store(y + 2, c)
    tl.store(y + 3, d)


def counted(x):
    known = answer(x)
    y = torch.empty(len(known) + 3, dtype=x.dtype, device=x.device)
    for i in range(0, len(known), 4):
        four[(1,)](y[i:], *(known + [0] * 3)[i : i + 4])
    return y[: len(known)]
""",
    "in-one-long-number": """
@triton.jit
def digits(y, n, SAID: tl.constexpr):
    for i in range(n):
        tl.store(y + i, 0)
    for i in tl.static_range(200):
        tl.store(y + i, (SAID >> 16 * i) & 0xFFFF, mask=i < n)


def counted(x):
    y = torch.empty_like(x)
    digits[(1,)](y, x.numel(), sum(one << 16 * i for i, one in enumerate(answer(x))))
    return y
""",
    "in-places-of-a-table": """
@triton.jit
def four(y, a, b, c, d):
    tl.store(y, tl.load(a))
    tl.store(y + 1, tl.load(b))
    tl.store(y + 2, tl.load(c))
    tl.store(y + 3, tl.load(d))


def counted(x):
    known, table = answer(x), torch.tensor(range(201), dtype=x.dtype, device=x.device)
    y = torch.empty(len(known) + 3, dtype=x.dtype, device=x.device)
    for i in range(0, len(known), 4):
        four[(1,)](y[i:], *(table[value:] for value in (known + [0] * 3)[i : i + 4]))
    return y[: len(known)]
""",
    "in-grids": """
@triton.jit
def sizes(y):
    for axis in tl.static_range(3):
        tl.store(y + axis, tl.num_programs(axis))


def counted(x):
    known = answer(x) + [1] * 2
    y = torch.empty(len(known), dtype=x.dtype, device=x.device)
    for i in range(0, len(known) - 2, 3):
        sizes[tuple(known[i : i + 3])](y[i:])
    return y[:-2]
""",
}

ANSWER = """
def answer(x):
    return (x.numpy() == x.numpy()[0]).cumsum().tolist()
"""


@pytest.mark.parametrize("name", SPELLED)
def test_an_answer_is_not_spelled_out_in_numbers(judge: Judge, name: str) -> None:
    found = verdict(judge, ANSWER + SPELLED[name], spec=COUNTED, name="counted")
    refused(found, Cause.PLAN_TOO_LONG)
    assert found.failure is not None
    assert "its numbers take" in found.failure.message


def test_what_is_said_of_every_call_alike_is_not_the_answer_of_one(judge: Judge) -> None:
    """Numbers of the first call, said again and again, would pass for a plan that does not follow values."""
    again = SPELLED["in-scalars"].replace("known = answer(x)", "known = FIRST.setdefault(x.numel(), answer(x))")
    refused(verdict(judge, ANSWER + "FIRST = {}" + again, spec=COUNTED, name="counted"), Cause.WRONG_VALUES)


SWAPPED: dict[str, str] = {
    "two-definitions": """
for _ in range(1):

    @triton.jit
    def kernel(x, y, n, BLOCK: tl.constexpr):
        pass
""",
    "another-name": """
kernel = decoy
kernel.fn.__name__ = "kernel"
""",
    "other-text": """
kernel._unsafe_update_src(kernel.src.replace("* 2", "* 3"))
""",
}


@pytest.mark.parametrize("name", SWAPPED)
def test_the_kernel_that_is_proved_is_the_one_that_was_launched(judge: Judge, name: str) -> None:
    refused(verdict(judge, SWAPPED[name] + HONEST), Cause.NOT_PLAIN)


def test_of_two_definitions_the_one_that_python_took_is_proved(judge: Judge) -> None:
    branch = SWAPPED["two-definitions"].replace("for _ in range(1):", "if triton.__version__:")
    refused(verdict(judge, branch + HONEST), Cause.UNWRITTEN)


TIMES = """
TIMES = tl.constexpr(2)


@triton.jit
def times(v):
    return v * TIMES


@triton.jit
def scaled(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, times(tl.load(x + at, mask=at < n)), mask=at < n)


def double(x):
    SETTING
    return launch(scaled, x, torch.empty_like(x))
"""


@pytest.mark.parametrize(
    ("setting", "cause"),
    [
        ("pass", None),
        ('globals()["TIMES"] = tl.constexpr(3)', Cause.NOT_PLAIN),
        ("TIMES.value = 3", Cause.NOT_PLAIN),
    ],
)
def test_the_constants_that_are_proved_are_those_that_were_launched(
    judge: Judge, setting: str, cause: Cause | None
) -> None:
    found = verdict(judge, TIMES.replace("SETTING", setting))
    accepted(found) if cause is None else refused(found, cause)


ASIDE = """
def double(x):
    y, aside = torch.empty_like(x), torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        launch(kernel, x, y)
    WAIT
    return y
"""


@pytest.mark.parametrize(
    ("wait", "cause"),
    [("torch.cuda.current_stream().wait_stream(aside)", None), ("aside.synchronize()", None), ("pass", Cause.RACE)],
)
def test_what_is_launched_on_a_stream_of_its_own_is_waited_for(judge: Judge, wait: str, cause: Cause | None) -> None:
    found = verdict(judge, ASIDE.replace("WAIT", wait))
    accepted(found) if cause is None else refused(found, cause)


def test_other_text_on_disk_is_not_what_is_proved(judge: Judge) -> None:
    wrapper = """
import linecache

text = open(__file__).read().replace("* 2", "* 1")
linecache.cache[__file__] = (len(text), None, text.splitlines(True), __file__)
open(__file__, "w").write(text)
"""
    accepted(verdict(judge, wrapper + HONEST))
