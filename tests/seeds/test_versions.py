"""A torch whose inner parts are elsewhere, as the one that a user happens to have."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from geak.judge import Judge

MOVED = """
import sys
from importlib import machinery, util
from pathlib import Path

here = str(Path(__file__).parent.parent)
spec = machinery.PathFinder.find_spec("torch", [one for one in sys.path if one != here])
sys.modules["torch"] = torch = util.module_from_spec(spec)
spec.loader.exec_module(torch)
torch.__version__ = "2.9.1"


class Moved:
    def find_spec(self, name, path=None, target=None):
        if name == "torch._inductor.graph":
            raise ImportError(f"no module named {name!r}")


sys.meta_path.insert(0, Moved())
"""
SPEC = '''"""Twice each element of a vector."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(axes={"N": Axis(1, 99)}, inputs={"x": Tensor("N")}, outputs=Tensor("N"), cases=[{"N": 7}])


def reference(x):
    return x * 2
'''


@pytest.mark.slow
def test_a_torch_whose_compiler_is_elsewhere_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "other" / "torch").mkdir(parents=True)
    (tmp_path / "other" / "torch" / "__init__.py").write_text(MOVED)
    (tmp_path / "twice.py").write_text(SPEC)
    judge = f"env PYTHONPATH={tmp_path / 'other'} {sys.executable} -P -m geak_evaluator serve"
    with Judge(judge) as room:
        found = room.seed(tmp_path / "twice.py", target="gfx942")
    assert found.seeds == ()
    assert "torch 2.9.1 has no compiler that is known here" in found.trouble
    assert "install torch 2.13, or " in found.trouble
