"""References are timed in one mode: the others differ in nothing here, and each would cost a child."""

from __future__ import annotations

import pytest

from geak_evaluator.measure import baseline


@pytest.fixture(autouse=True)
def _eager_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "TORCH", ("eager",))
