"""What can go wrong, for a person: each error says what happened, where, and what to do.

* GeakError
  + UsageError        a file or an option that cannot be meant (exit code 2)
  + SpecError         a spec that its author must mend (2)
  + MachineError      this machine lacks something (3)
    - JudgeError      the judge did not start, or ended
"""

from __future__ import annotations


class GeakError(Exception):
    """Anything that is told in sentences, without a traceback."""

    exit_code = 1


class UsageError(GeakError):
    """A file or an option that cannot be meant."""

    exit_code = 2


class SpecError(GeakError):
    """A spec that its author must mend."""

    exit_code = 2


class MachineError(GeakError):
    """This machine lacks something that was asked for."""

    exit_code = 3


class JudgeError(MachineError):
    """The judge did not start, or ended before its answer."""
