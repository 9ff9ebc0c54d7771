"""What can go wrong, for a person: each error says what happened, where, and what to do.

* GeakError
  + UsageError        a file or an option that cannot be meant (exit code 2)
    - RunError        a run's folder that cannot be gone on with
      . RunBusy       another process works on it
  + SpecError         a spec that its author must mend (2)
  + MachineError      this machine lacks something (3)
    - JudgeError      the judge did not start, or ended
      . JudgeDied     it ended over one question, and another over the same one
  + BudgetSpent       what may be spent does not pay for the next call (4)
  + ModelError        a model did not answer (5)
    - MissingKey      there is no key to ask it with (3)
"""

from __future__ import annotations

import enum


class GeakError(Exception):
    """Anything that is told in sentences, without a traceback."""

    exit_code = 1


class UsageError(GeakError):
    """A file or an option that cannot be meant."""

    exit_code = 2


class RunError(UsageError):
    """A run's folder that cannot be gone on with."""


class RunBusy(RunError):
    """Another process works on a run."""


class SpecError(GeakError):
    """A spec that its author must mend."""

    exit_code = 2


class MachineError(GeakError):
    """This machine lacks something that was asked for."""

    exit_code = 3


class JudgeError(MachineError):
    """The judge did not start, or ended before its answer."""


class JudgeDied(JudgeError):
    """No answer to one question, from two judges in turn: others may be asked other things."""


class BudgetSpent(GeakError):
    """What may be spent does not pay for the next call."""

    exit_code = 4


class Trouble(str, enum.Enum):
    """Why a model did not answer."""

    KEY = "key"
    """The key is missing, wrong, or may not use this model."""
    UNKNOWN_MODEL = "unknown_model"
    BALANCE = "balance"
    """The account is empty."""
    REQUEST = "request"
    """The provider refuses the request as it is; it would refuse it again."""
    LIMIT = "limit"
    """Too many requests or tokens at a time."""
    BUSY = "busy"
    """The provider is overloaded or failing."""
    CONNECTION = "connection"
    """It could not be reached."""
    CUT = "cut"
    """The reply ended in the middle."""
    TIMEOUT = "timeout"
    """No reply, or no further word of it, within the time that it may take."""


PASSING = frozenset({Trouble.LIMIT, Trouble.BUSY, Trouble.CONNECTION, Trouble.CUT, Trouble.TIMEOUT})
"""Trouble that another try may end."""


class ModelError(GeakError):
    """A model did not answer: what happened, whether trying again may help, whether it may have cost money."""

    exit_code = 5

    def __init__(
        self, message: str, trouble: Trouble, *, retry_after: float | None = None, charged: bool = False
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.retry_after = retry_after
        """Seconds that the provider asks to wait."""
        self.charged = charged
        """It may have to be paid for all the same: the provider had begun to answer."""


class MissingKey(ModelError):
    """There is no key to ask a model with: this machine lacks it."""

    exit_code = 3

    def __init__(self, message: str) -> None:
        super().__init__(message, Trouble.KEY)
