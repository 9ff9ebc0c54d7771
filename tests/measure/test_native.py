"""Proof and times on a device, through the judge: by a simulated one, whose name says what it is."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from geak_evaluator import serve
from geak_evaluator.candidate import Candidate
from geak_evaluator.judge import Judge
from geak_evaluator.measure import baseline
from geak_evaluator.measure.clock import Clock
from geak_evaluator.measure.lent import DeviceLost, Lent
from geak_evaluator.measure.rules import Alone, Unmeasured
from geak_evaluator.measure.sides import DeviceSide
from geak_evaluator.measuring import Measuring, Stopwatch
from geak_evaluator.oracle import SpecFile, SpecProblem
from geak_evaluator.outcome import Captured
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.child import Child, Reply
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema import codec
from geak_evaluator.schema.measuring import Asked
from geak_evaluator.schema.timing import Extras, State
from geak_evaluator.schema.verdict import Cause, Policy, Status, Tier, Verdict
from tests.judge.trial import changed, rejected
from tests.measure import scene

DEVICE = "simulated gfx942"
BARE = Extras(references=(), calls=False, energy=False)
LOOKED_UP = "".join(
    f"    {name} = tl.load(table + {place}).to(tl.pointer_type(tl.float32))\n" for place, name in enumerate("xy")
)


def evaluated(judge: Judge, kernel: str = scene.KERNEL, **asked: Any) -> Verdict:
    return judge.evaluate(scene.file(), kernel.encode(), **asked)


def test_a_kernel_is_proved_and_timed_on_the_device(box: Sandbox) -> None:
    judge = scene.measuring_judge(box)
    verdict = evaluated(judge, time=True, original=scene.ORIGINAL.encode())
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert verdict.how == DEVICE
    assert {case.how for case in verdict.cases} == {DEVICE}
    assert "M=64, N=256" in {str(case.case) for case in verdict.cases}  # the size that is timed is proved as well
    assert f"proved on {DEVICE}, " in verdict.line()
    assert f" over eager torch, measured on {DEVICE}" in verdict.line()  # the harder one to beat
    by_name = {one.baseline: one for one in verdict.timings}
    assert set(by_name) == {"original", "eager"}
    assert by_name["original"].ratio == pytest.approx(2.0, rel=0.05)
    assert by_name["eager"].ratio == pytest.approx(1.5, rel=0.05)
    assert verdict.device is not None
    assert (verdict.device.name, verdict.device.uuid) == (DEVICE, "simulated-gfx942")
    assert set(verdict.device.versions) == {"torch"}
    for one in verdict.timings:
        assert one.call_us > 0.9 * one.warm_us, one.message
        assert one.baseline_call_us > 0.9 * one.baseline_warm_us
    assert codec.from_json(Verdict, codec.loads(codec.dumps(verdict))) == verdict


def test_what_is_measured_besides_is_what_was_asked_for(box: Sandbox) -> None:
    judge = scene.measuring_judge(box, watts=100.0)
    for asked, there in ((BARE, False), (replace(BARE, references=("eager",), calls=True, energy=True), True)):
        (timing,) = evaluated(judge, time=True, extras=asked).timings
        assert timing.state is State.MEASURED, timing.message
        assert bool(timing.baseline) is bool(timing.call_us) is (timing.joules is not None) is there


def test_a_device_counts_for_those_who_ask(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profiler's runs take longer than most proofs: a time alone, or a proof alone, does without."""
    asked = []

    def counted(judge: Judge, file: SpecFile, kernel: bytes, verdict: Verdict, policy: Policy) -> Verdict:
        asked.append(verdict.name)
        return verdict

    monkeypatch.setattr(serve, "counted", counted)
    line = {"op": "evaluate", "path": "/specs/scale.py", "source": scene.SPEC, "kernel": scene.KERNEL, "tier": "gate"}
    lines = [{**line, "id": n} | more for n, more in enumerate(({}, {"time": True, "extras": {"counters": False}}))]
    for more, times in ((lines, 0), ([{**line, "id": 2, "time": True}], 1)):
        answers = io.StringIO()
        serve.serve(box, io.StringIO("\n".join(map(json.dumps, more))), answers, "simulated:gfx942", estimates=False)
        assert [json.loads(one).get("problem") for one in answers.getvalue().splitlines()[1:]] == [None] * len(more)
        assert len(asked) == times


def test_a_module_is_timed_beside_one_whose_constructor_names_its_tuple_otherwise(box: Sandbox) -> None:
    spec = changed(
        scene.SPEC,
        ("cases=", 'contract="module", entry="Scale", init={"shape": (1, "N")}, cases='),
        (
            "def reference(x):\n    return x * 2 + 1",
            "class Reference(torch.nn.Module):\n    def __init__(self, shape):\n        super().__init__()\n"
            "        assert type(shape) is tuple\n\n    def forward(self, x):\n        return x * 2 + 1",
        ),
    )

    def module(kernel: str) -> str:
        return f"""{kernel}
class Scale(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        assert type(size) is tuple

    def forward(self, x):
        return scale(x)
"""

    judge = scene.measuring_judge(box)
    verdict = judge.evaluate(
        scene.file(spec), module(scene.KERNEL).encode(), time=True, original=module(scene.ORIGINAL).encode()
    )
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert {(one.baseline, one.message) for one in verdict.timings} == {("original", ""), ("eager", "")}


def test_a_table_of_addresses_is_another_in_each_place(box: Sandbox) -> None:
    kernel = changed(
        scene.KERNEL,
        ("def _scale(x, y, n, BLOCK: tl.constexpr):\n", f"def _scale(table, n, BLOCK: tl.constexpr):\n{LOOKED_UP}"),
        ("(x, y, n, BLOCK", "(torch.tensor([x.data_ptr(), y.data_ptr()], device=x.device), n, BLOCK"),
    )
    verdict = evaluated(scene.measuring_judge(box), kernel, time=True, extras=BARE)
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert verdict.how == DEVICE
    assert [(one.state, one.message) for one in verdict.timings] == [(State.MEASURED, "")]


def test_the_gate_is_proved_natively_and_not_timed(box: Sandbox) -> None:
    verdict = evaluated(scene.measuring_judge(box), tier=Tier.GATE, time=True)
    assert (verdict.how, verdict.timings) == (DEVICE, ())


def test_a_time_counts_for_no_other_target(box: Sandbox) -> None:
    verdict = evaluated(scene.measuring_judge(box, target="sm_90"), targets=["gfx942"], time=True)
    assert verdict.status is Status.ACCEPTED
    assert (verdict.how, verdict.timings, verdict.device) == ("interpreter", (), None)
    words = (
        "the device here is simulated sm_90 (sm_90); for gfx942 this verdict is the interpreter's, and nothing is timed"
    )
    assert words in verdict.notes


def test_what_the_interpreter_sees_is_not_let_onto_the_device(box: Sandbox) -> None:
    kernel = scene.KERNEL.replace("y + at, value * 2 + 1, mask=at < n", "y + at, value * 2 + 1")
    rejected(evaluated(scene.measuring_judge(box, trick="hang", liar="_scale"), kernel), Cause.OUT_OF_BOUNDS)


@pytest.mark.parametrize(
    ("trick", "cause", "words"),
    [
        ("illegal", Cause.OUT_OF_BOUNDS, "the device reports an access outside of its memory"),
        ("out_of_memory", Cause.OUT_OF_MEMORY, "the device has not enough memory"),
        ("hang", Cause.TIMEOUT, "it did not finish in the time it has"),
        ("lazy", Cause.UNWRITTEN, "was never written"),
    ],
)
def test_what_goes_wrong_on_the_device_is_one_candidates_verdict(
    box: Sandbox, trick: str, cause: Cause, words: str
) -> None:
    device = scene.lent(box, trick=trick, liar="_scale")
    assert device.identity.name == DEVICE
    device.limits = replace(device.limits, wall_s=5)
    judge = Judge(box, limits=Limits(60), estimates=False, stopwatch=Stopwatch(device, scene.QUICK))
    rejected(evaluated(judge, tier=Tier.GATE), cause, words)
    assert device.suspect is (trick != "lazy")  # what was only wrong casts no doubt on the device
    assert evaluated(judge, scene.ORIGINAL, tier=Tier.GATE).how == DEVICE  # it was tested, and goes on
    assert not device.suspect


def test_a_driver_that_is_reset_leaves_the_interpreters_verdict(box: Sandbox) -> None:
    """It says nothing of the kernel; the device is tested before it is used again, and that it then works is seen."""
    device = scene.lent(box, trick="reset", liar="_scale")
    judge = Judge(box, limits=Limits(60), estimates=False, stopwatch=Stopwatch(device, scene.QUICK))
    verdict = evaluated(judge, tier=Tier.GATE)
    assert (verdict.status, verdict.how) == (Status.ACCEPTED, "interpreter")
    assert "not proved on the device [M=3, N=70]: the device's driver was reset while it ran" in " ".join(verdict.notes)
    assert device.suspect
    assert evaluated(judge, scene.ORIGINAL, tier=Tier.GATE).how == DEVICE
    (timing,) = scene.timings(box, trick="reset", liar="_scale")
    assert (timing.state, timing.message[:35]) == (State.FAILED, "the device's driver was reset while")


def test_a_kernel_for_another_architecture_is_not_called_wrong(box: Sandbox) -> None:
    verdict = evaluated(scene.measuring_judge(box, trick="other_target", liar="_scale"), tier=Tier.GATE)
    assert verdict.status is Status.UNDECIDED
    assert "the kernel was compiled for another architecture than this device's" in verdict.line()


def test_a_case_that_does_not_fit_is_said_and_spoils_nothing(box: Sandbox) -> None:
    verdict = evaluated(scene.measuring_judge(box, memory=64 << 10), time=True)
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert {one.state for one in verdict.timings} == {State.TOO_BIG_HERE}
    assert any(note.startswith("not proved at [M=64, N=256]: the case needs") for note in verdict.notes)


def test_a_device_that_fails_its_test_is_left_alone(box: Sandbox) -> None:
    judge = scene.measuring_judge(box, broken=1.0)
    verdict = evaluated(judge, tier=Tier.GATE)
    assert (verdict.status, verdict.how) == (Status.ACCEPTED, "interpreter")
    assert any("does not pass its test" in note for note in verdict.notes)


def test_a_device_that_is_lost_in_between_leaves_the_interpreters_verdict(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leased(lent: Lent) -> contextlib.AbstractContextManager[None]:
        raise DeviceLost("it is leased to another process")

    monkeypatch.setattr(Lent, "leased", leased)
    verdict = evaluated(scene.measuring_judge(box), tier=Tier.GATE)
    assert (verdict.status, verdict.how) == (Status.ACCEPTED, "interpreter")
    assert "not proved on the device [M=3, N=70]: it is leased to another process" in verdict.notes


CONFIGURATIONS = "[triton.Config({'BLOCK': 1024}), triton.Config({'BLOCK': 2048})]"
TUNED = changed(
    scene.KERNEL,
    ("@triton.jit", f"@triton.autotune({CONFIGURATIONS}, key=['n'])\n@triton.jit"),
    ("(triton.cdiv(n, 2048),)", "lambda meta: (triton.cdiv(n, meta['BLOCK']),)"),
    (", BLOCK=2048", ""),
)


def test_the_winner_of_an_autotuner_is_found_before_the_clock(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    ranked: list[bool] = []
    alone = Clock.alone

    def noted(clock: Clock, side: DeviceSide, *, graph: bool = False) -> Alone:
        ranked.extend([graph] if side.rotations == 1 else [])
        return alone(clock, side, graph=graph)

    monkeypatch.setattr(Clock, "alone", noted)
    (timing,) = scene.timings(box, TUNED, costs="eager=30,_scale/BLOCK/1024=2")
    assert timing.state is State.MEASURED, timing.message
    assert timing.configuration.startswith("BLOCK: 2048")
    assert timing.baseline_configuration == ""
    assert ranked == [True, True]
    ranked.clear()
    (timing,) = scene.timings(box, TUNED, costs="eager=30,_scale/BLOCK/1024=2", trick="no_graph")
    assert timing.configuration.startswith("BLOCK: 2048")
    assert ranked == [True, False, False]  # all of them by the stream then


def test_an_original_is_timed_at_its_best_as_well(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an equal kernel would be said to be twice as fast."""
    tried: list[int] = []
    alone = Clock.alone

    def noted(clock: Clock, side: DeviceSide, *, graph: bool = False) -> Alone:
        tried.append(side.rotations)
        return alone(clock, side, graph=graph)

    monkeypatch.setattr(Clock, "alone", noted)
    costs = "eager=30,_scale/BLOCK/1024=2"
    verdict = evaluated(scene.measuring_judge(box, costs=costs), TUNED, time=True, original=TUNED.encode())
    by_name = {one.baseline: one for one in verdict.timings}
    one = by_name["original"]
    assert one.ratio == pytest.approx(1.0, rel=0.05)
    assert one.configuration == one.baseline_configuration
    assert one.configuration.startswith("BLOCK: 2048")
    assert by_name["eager"].baseline_configuration == ""
    assert tried.count(1) == 4  # each configuration of either once, though there are two baselines


def test_two_processes_at_the_most_have_the_device_at_a_time(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What proved a case is gone before it is timed: a context takes memory, and some devices allow few."""
    live: set[int] = set()
    most: list[int] = []
    spawn, end = Lent.spawn, Child.end

    def spawned(device: Lent, **asked: Any) -> Child:
        child = spawn(device, **asked)
        live.add(child.pid)
        most.append(len(live))
        return child

    def ended(child: Child) -> Any:
        live.discard(child.pid)
        return end(child)

    monkeypatch.setattr(Lent, "spawn", spawned)
    monkeypatch.setattr(Child, "end", ended)
    device = scene.lent(box)
    watch, judge = Stopwatch(device, scene.QUICK), Judge(box, limits=Limits(60), estimates=False)
    with judge.oracle(scene.file()) as oracle:
        candidate = Candidate(box, Limits(60), oracle, scene.KERNEL.encode(), "gfx942", lent=device)
        (case,) = oracle.about.spec.bench
        assert candidate.run(case, interpreted=False).result.how == DEVICE
        (timing,) = Measuring(watch, oracle, candidate, None).timings([case])
    assert timing.state is State.MEASURED, timing.message
    assert max(most) == 2


def test_where_one_process_may_have_the_device_nothing_is_said_of_a_ratio(box: Sandbox) -> None:
    judge = scene.measuring_judge(box, exclusive=1.0)
    verdict = evaluated(judge, time=True, original=scene.ORIGINAL.encode())
    (timing,) = verdict.timings
    assert (timing.state, timing.baseline, timing.ratio) == (State.MEASURED, "", 0.0)
    assert timing.candidate_us == pytest.approx(20, rel=0.1)
    words = "the device allows one process at a time: two kernels cannot be timed in turn"
    assert verdict.notes.count(words) == 1
    assert judge.stopwatch is not None
    assert judge.stopwatch.why_not("gfx942") == ""
    assert judge.stopwatch.why_not("gfx942", in_turn=True) == words


def test_a_process_in_which_nothing_could_be_recorded_is_not_gone_on_with(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its allocator may still be where a recording has it."""
    heard: dict[int, list[bool]] = {}
    ask = Child.ask

    def noted(child: Child, body: bytes = b"", **how: Any) -> Reply:
        if b'"order"' in body:
            block = codec.from_json(Asked, codec.loads(body)).block
            heard.setdefault(child.pid, []).append(block is not None and block.graph)
        return ask(child, body, **how)

    monkeypatch.setattr(Child, "ask", noted)
    (timing,) = scene.timings(box, trick="no_graph")
    assert (timing.state, timing.launched) == (State.MEASURED, "stream"), timing.message
    recorded = [blocks for blocks in heard.values() if any(blocks)]
    assert len(recorded) == 1
    assert all(blocks.index(True) == len(blocks) - 1 for blocks in recorded)


TWO = scene.SPEC.replace('bench=[{"M": 64, "N": 256}]', 'bench=[{"M": 64, "N": 256}, {"M": 3, "N": 256}]')


def test_a_reference_that_a_size_is_too_much_for_costs_no_other_size(box: Sandbox) -> None:
    """Its process ends, by a limit or by itself: that case has neither proof nor time, and the others have both."""
    dies = TWO.replace("    return", "    if x.shape == (64, 256):\n        import os; os._exit(1)\n    return")
    judge = scene.measuring_judge(box)
    verdict = judge.evaluate(scene.file(dies), scene.KERNEL.encode(), time=True)
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert [(str(one.case), one.state) for one in verdict.timings] == [
        ("M=64, N=256", State.FAILED),
        ("M=3, N=256", State.MEASURED),
    ]
    assert "M=3, N=256" in {str(case.case) for case in verdict.cases}
    (note,) = [note for note in verdict.notes if note.startswith("not proved at [M=64, N=256]")]
    assert "its process died" in note
    assert "measured" not in verdict.line()  # a mean over the others would flatter


def test_a_size_that_is_timed_has_more_time_for_its_reference(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []
    ask = Child.ask

    def noted(child: Child, body: bytes = b"", *, wall_s: float | None = None) -> Reply:
        given.extend([wall_s] * (b'"seed"' in body))
        return ask(child, body, wall_s=wall_s)

    monkeypatch.setattr(Child, "ask", noted)
    with scene.measuring_judge(box).oracle(scene.file()) as oracle:
        for patient in (False, True):
            oracle.case(oracle.about.spec.bench[0], "gfx942", patient=patient)
    assert given == [60.0, 180.0]


def test_a_reference_is_not_run_where_only_inputs_are_wanted(box: Sandbox) -> None:
    """At a size that is timed one core computes it: once for a proof, and not again for what a wrapper is shown."""
    spec = scene.SPEC.replace("def reference(x):\n", "calls = []\n\n\ndef reference(x):\n    calls.append(x)\n")
    spec = spec.replace("    return", "    assert len(calls) == 1, 'called again'\n    return")
    judge = scene.measuring_judge(box)
    with judge.oracle(scene.file(spec)) as oracle:
        (case,) = oracle.about.spec.bench
        answer = oracle.case(case, "gfx942")
        captured = judge.candidate(oracle, scene.KERNEL.encode(), "gfx942", Policy.PURE).capture(case, answer)
        assert isinstance(captured, Captured), captured.result.message
        with pytest.raises(SpecProblem, match="called again"):
            oracle.case(case, "gfx942")


def test_a_reference_that_does_not_run_is_named(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the fastest reference could be missing, and nobody would know that a slower one was beaten."""
    real = DeviceSide._open

    def opened(self: DeviceSide) -> None:
        if self._called and self._called["mode"] == "compile":
            raise Unmeasured(State.FAILED, "KeyError: 'getpwuid(): uid not found'")
        real(self)

    monkeypatch.setattr(DeviceSide, "_open", opened)
    monkeypatch.setattr(baseline, "TORCH", ("eager", "compile"))
    asked = Extras(references=("eager", "compile"), calls=False, energy=False, counters=False)
    verdict = evaluated(scene.measuring_judge(box), time=True, extras=asked)
    assert [one.baseline for one in verdict.timings] == ["eager"]
    (note,) = (note for note in verdict.notes if "does not run" in note)
    assert note.startswith("compile does not run at [M=64, N=256], and nothing is held against it: KeyError: ")
