"""GEAK: an agent that writes Triton kernels, and believes nothing that it is told about them."""

from geak.errors import GeakError, JudgeError, MachineError, SpecError, UsageError

__all__ = ["GeakError", "JudgeError", "MachineError", "SpecError", "UsageError", "__version__"]

__version__ = "0.1.0"
