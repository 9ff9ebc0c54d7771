"""Whole runs where kernels are timed: a speed as goal, under the real judge and clock on a simulated device."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

import geak
from geak.journal.events import Announced, Moved
from geak.runs import Result
from tests.loop import stage
from tests.tuning import files

SPEC = files.SPEC.replace('bench=[{"N": 65536}]', 'bench=[{"N": 1024}]')  # every call is interpreted
SLOW = stage.kernel(1, "with blocks of 256")
FAST = stage.kernel(2, "with blocks of 512").replace("256)", "512)")
COSTS = "double_kernel=20,double_kernel/BLOCK/512=0.5,eager=20,compile=20,max-autotune=20"


def run(place: Path, *kernels: str, estimates: bool = False, **asked: object) -> Result:
    (place / "double.py").write_text(SPEC)
    device = f"simulated:gfx942:costs={COSTS}"
    words = [] if estimates else ["--no-estimates"]
    judge = shlex.join([sys.executable, "-P", "-m", "geak_evaluator", "serve", *words, "--device", device])
    model = f"scripted:{stage.script(place, kernels)}"
    return geak.generate(
        place / "double.py", model=model, judge=judge, target=("gfx942",), rounds=2, out=place / "run", **asked
    )


def test_a_device_that_is_here_makes_speed_the_goal(tmp_path: Path) -> None:
    result = run(tmp_path, SLOW, FAST)
    assert (result.exit_code, result.source) == (0, FAST), result.message
    assert [e.event.move.kind for e in geak.load_run(result.folder).entries if isinstance(e.event, Moved)] == [
        "draft",
        "optimise",
    ], "what is as fast as torch is no end"
    assert result.best is not None
    assert result.best.final is not None
    [timing] = result.best.final.timings
    assert (timing.device, timing.target, timing.ratio) == (
        "simulated gfx942",
        "gfx942",
        pytest.approx(2, rel=0.05),
    )
    assert timing.interval is not None
    assert timing.interval.low > 1
    record = json.loads((result.folder / "best.json").read_text())
    assert record["verdict"]["timings"][0]["candidate_us"] == pytest.approx(10, rel=0.05)
    assert record["final"]["device"]["uuid"] == "simulated-gfx942"
    assert "torch" in record["final"]["device"]["versions"]
    assert "measured on simulated gfx942" in (result.folder / "best.py").read_text()


@pytest.mark.slow
def test_what_was_timed_stands_in_the_prompts_and_a_speed_that_is_not_reached_is_no_success(tmp_path: Path) -> None:
    result = run(tmp_path, SLOW, FAST, goal="3x")
    assert result.exit_code == 1
    assert result.source == FAST, "the best is handed over all the same"
    told = geak.load_run(result.folder)
    asked = [told.text(e.event.prompt) for e in told.entries if isinstance(e.event, Announced)]
    later = [prompt for prompt in asked if "measured on simulated gfx942" in prompt]
    assert later, "the reflector and the optimizer are told what was measured"
    assert any("20 us" in prompt or "20.0 us" in prompt for prompt in later)


@pytest.mark.slow
def test_a_share_of_what_the_device_could_do_is_a_goal(tmp_path: Path) -> None:
    first = run(tmp_path, SLOW, FAST, estimates=True, goal="sol:0.00006")
    assert (first.exit_code, first.source) == (0, FAST), first.message
    assert first.best is not None
    assert first.best.final is not None
    [timing] = first.best.final.timings
    assert 0.00006 <= timing.sol_us / timing.candidate_us < 0.00012, "the blocks of 256 take twice as long"
