"""The shared judge must be in order after what was done to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from trial import KERNEL, SPEC, accepted, verdict_on

from geak_evaluator.judge import Judge
from geak_evaluator.oracle import SpecFile


@pytest.fixture
def honest_afterwards(judge: Judge) -> Iterator[None]:
    """The next honest kernel is accepted."""
    yield
    accepted(verdict_on(judge, SPEC, KERNEL))


@pytest.fixture
def described_afterwards(judge: Judge) -> Iterator[None]:
    """The next sound spec is read; cheaper, for what never comes as far as a kernel."""
    yield
    assert judge.describe(SpecFile(Path("/specs/scale.py"), SPEC.encode())).name == "scale"
