"""The shared judge must still be in order after every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from trial import KERNEL, SPEC, accepted, verdict_on

from geak_evaluator.judge import Judge


@pytest.fixture(autouse=True)
def _an_honest_kernel_is_accepted_afterwards(judge: Judge) -> Iterator[None]:
    yield
    accepted(verdict_on(judge, SPEC, KERNEL))
