"""One kernel file on one target: what each step of its verdict needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from geak_evaluator import source
from geak_evaluator.kernel_child import Kernel
from geak_evaluator.oracle import Oracle
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits
from geak_evaluator.schema.spec import Spec
from geak_evaluator.schema.verdict import Policy


@dataclass(frozen=True)
class Subject:
    """A kernel file, its target, its spec's oracle, and the sandbox that it is run in."""

    box: Sandbox
    limits: Limits
    oracle: Oracle
    kernel: Kernel
    policy: Policy

    @property
    def spec(self) -> Spec:
        """What it is to be."""
        return self.oracle.about.spec

    @property
    def target(self) -> str:
        """The one that it is recorded for."""
        return self.kernel.target

    @property
    def by_value(self) -> bool:
        """Whether its launches may follow the values."""
        return self.spec.launches == "by_value"

    @property
    def ordered(self) -> bool:
        """Whether its programs may wait for one another: whoever takes a lock does."""
        # What a project's helpers do is not looked at.
        return bool(self.spec.project) or source.names_attribute(self.kernel.source, "atomic_")
