"""GEAK: an agent that writes Triton kernels, and believes nothing that it is told about them."""

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
        Result,
        Run,
        Stopper,
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
