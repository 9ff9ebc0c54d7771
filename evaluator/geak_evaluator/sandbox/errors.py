"""What can go wrong that is nobody's fault but the machine's."""

from __future__ import annotations


class SandboxError(RuntimeError):
    """The sandbox itself could not do its work; never a candidate's fault."""


class WeakSandbox(SandboxError):
    """This machine cannot confine foreign code as far as was asked."""
