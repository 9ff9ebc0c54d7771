"""What `import geak` gives: the names of the command line's options, its defaults, and its words for a mistake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import geak
from geak_evaluator.schema.verdict import Policy, Tier


class AnyJudge:
    """Answers every question with what it was asked."""

    present: tuple[str, ...] = ()

    def __init__(self, command: object) -> None:
        self.command, self.hello = command, SimpleNamespace(present=self.present)

    def __enter__(self) -> AnyJudge:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def evaluate(self, spec: object, kernel: object, **asked: Any) -> dict[str, Any]:
        return {"judge": self.command, **asked}

    tune = evaluate


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("geak.judge.Judge", AnyJudge)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("ask", [geak.evaluate, geak.tune])
def test_a_verdict_is_for_the_targets_that_the_command_would_take(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask("softmax", "kernel.py")["targets"] == ("gfx942", "sm_90")
    assert ask("softmax", "kernel.py", target="MI300X, b200")["targets"] == ("gfx942", "sm_100")
    assert ask("softmax", "kernel.py", target=["H100"], policy="mixed")["policy"] is Policy.MIXED
    monkeypatch.setattr(AnyJudge, "present", ("sm_80",))
    assert ask("softmax", "kernel.py")["targets"] == ("sm_80",)
    monkeypatch.setenv("GEAK_TARGET", "MI355X")
    monkeypatch.setenv("GEAK_JUDGE", "ssh box judge")
    assert (found := ask("softmax", "kernel.py"))["targets"] == ("gfx950",)
    assert (found["judge"], found["policy"]) == ("ssh box judge", Policy.PURE)


def test_a_tier_is_named_or_given() -> None:
    tiers = [geak.evaluate("softmax", "kernel.py", tier=tier)["tier"] for tier in ("gate", Tier.FINAL)]  # type: ignore[index]
    assert tiers == [Tier.GATE, Tier.FINAL]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": "MI300"}, "target: there is no target 'MI300'; did you mean MI300X? There are "),
        ({"tier": "quick"}, "tier: one of gate, full, final is wanted, not 'quick'"),
        ({"policy": "strict"}, "policy: one of pure, mixed, open is wanted, not 'strict'"),
        ({"kernel": "import triton\n" * 400}, "a kernel is named by its file, and this is a text of several lines"),
    ],
)
def test_what_cannot_be_meant_is_told_as_on_the_command_line(asked: dict[str, str], message: str) -> None:
    with pytest.raises(geak.UsageError) as told:
        geak.evaluate("softmax", **{"kernel": "kernel.py", **asked})
    assert message in str(told.value)
    assert len(str(told.value)) < 250


def test_what_there_is_can_be_listed() -> None:
    assert set(geak.__all__) <= set(dir(geak))
