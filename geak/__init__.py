"""GEAK: an agent that writes Triton kernels, and believes nothing that it is told about them."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from geak.errors import (
    BudgetSpent,
    GeakError,
    JudgeError,
    MachineError,
    MissingKey,
    ModelError,
    RunError,
    SpecError,
    Trouble,
    UsageError,
)
from geak.version import __version__

if TYPE_CHECKING:
    from geak.api import (
        BatchResult,
        Result,
        Run,
        Stopper,
        batch,
        batch_async,
        evaluate,
        evaluate_async,
        generate,
        generate_async,
        load_run,
        optimize,
        optimize_async,
        preview_async,
        resume,
        resume_async,
        tune,
        tune_async,
    )

__all__ = [
    "BatchResult",
    "BudgetSpent",
    "GeakError",
    "JudgeError",
    "MachineError",
    "MissingKey",
    "ModelError",
    "Result",
    "Run",
    "RunError",
    "SpecError",
    "Stopper",
    "Trouble",
    "UsageError",
    "__version__",
    "batch",
    "batch_async",
    "evaluate",
    "evaluate_async",
    "generate",
    "generate_async",
    "load_run",
    "optimize",
    "optimize_async",
    "preview_async",
    "resume",
    "resume_async",
    "tune",
    "tune_async",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'geak' has no attribute {name!r}")
    from geak import api  # only now: the command line says what it can do without it

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Geak(ModuleType):
    """`geak.batch` is the function, also once the package of that name has been imported."""

    @property
    def batch(self) -> Any:
        """As in `geak.api`."""
        return __getattr__("batch")

    @batch.setter
    def batch(self, package: ModuleType) -> None:
        """What importing a package does to the one above it."""


sys.modules[__name__].__class__ = _Geak
