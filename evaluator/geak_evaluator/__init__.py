"""The judge: it holds the seeds, the expected values, the clock and the verdict, and trusts nobody."""

from geak_evaluator.schema.spec import Axis, Case, Fill, Scalar, Spec, Tensor, Tolerance

__all__ = ["Axis", "Case", "Fill", "Scalar", "Spec", "Tensor", "Tolerance"]

__version__ = "0.1.0"
