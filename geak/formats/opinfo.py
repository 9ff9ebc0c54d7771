"""BackendBench's opinfo suite: operators that torch's own tests call, with the arguments that those tests give them.

No file lists them: torch's test code makes them up. Which operators there are is kept beside this file, as torch 2.13
has them; their arguments are asked for when a task is made, of a judge, whose confined child runs torch's test code
and tells the calls as a trace.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

from geak.errors import SpecError
from geak.formats.forms import Form, forms
from geak.judges import Judges

SUITE = "BackendBench/suite/opinfo.py"
"""Where a checkout keeps what makes the suite."""
_LARGEST = 1 << 16

# A spec file like any other to the judge; its docstring is the trace.
_PROBE = """\
import sys
import types
import unittest

sys.modules["expecttest"] = types.ModuleType("expecttest")  # torch's tests want it, and what is used here does not
sys.modules["expecttest"].TestCase = unittest.TestCase

import torch
from geak_evaluator import Axis, Spec, Tensor
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._python_dispatch import TorchDispatchMode

OPERATOR, NAMES, LARGEST = {operator!r}, {names!r}, {largest}
SHORT = {{torch.bfloat16: "bf16", torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bool: "b8"}}
SHORT |= {{torch.int8: "i8", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64", torch.uint8: "u8"}}


class Seen(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.calls.append((str(function), args, kwargs or {{}}))
        return function(*args, **(kwargs or {{}}))


def told(value):
    if isinstance(value, torch.Tensor):
        strides = "" if value.is_contiguous() else f", {{list(value.stride())}}"
        return f"T({{list(value.shape)}}, {{SHORT[value.dtype]}}{{strides}})"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(told, value)) + "]"
    return str(value) if isinstance(value, torch.dtype) else repr(value)


def calls():
    for one in op_db:
        if "/".join(filter(None, (one.name, one.variant_test_name))) not in NAMES:
            continue
        for sample in one.sample_inputs("cpu", torch.bfloat16):
            try:
                with Seen() as seen:
                    one.op(sample.input, *sample.args, **sample.kwargs)
                ((name, args, kwargs),) = seen.calls
                if name == OPERATOR:
                    named = ", ".join(f"{{key!r}}: {{told(value)}}" for key, value in kwargs.items())
                    yield f"(({{''.join(told(a) + ', ' for a in args)}}), {{{{{{named}}}}}})"
            except Exception:  # a sample that is meant to fail, or takes several operators
                continue


__doc__ = "trace\\n" + "\\n".join(calls())[:LARGEST]
spec = Spec(axes={{"N": Axis(1, 2)}}, inputs={{"x": Tensor("N")}}, cases=[{{"N": 1}}])


def reference(x):
    return x
"""


@cache
def suite() -> dict[str, tuple[str, ...]]:
    """Each operator ("aten.add.Tensor"), and the entries of torch's table whose samples call it alone."""
    lines = Path(__file__).with_suffix(".txt").read_text("utf-8").splitlines()
    return {f"aten.{name}": tuple(entries) for name, *entries in map(str.split, lines)}


async def asked(operator: str, judges: Judges) -> Form:
    """The form that most of an operator's samples have."""
    text = _PROBE.format(operator=operator, names=suite()[operator], largest=_LARGEST)
    with tempfile.TemporaryDirectory(prefix="geak-opinfo-") as folder:
        probe = Path(folder) / "samples.py"
        probe.write_text(text, "utf-8")
        try:
            about = await judges.describe(probe)
        except SpecError as error:
            raise SpecError(f"torch's samples of {operator} cannot be had here: {error}") from None
    found = forms(operator, Counter(about.doc.splitlines()[1:]))
    if not found:
        raise SpecError(f"torch has no sample of {operator} that a spec can say")
    return max(found, key=lambda form: len(form.calls))
