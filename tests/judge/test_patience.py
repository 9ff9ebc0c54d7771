"""A reference at a size that is timed: all processors compute it, and products of halves go by way of float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from geak_evaluator import oracle as oracles
from geak_evaluator.children import lifting
from geak_evaluator.children.modes import Mode
from geak_evaluator.oracle import Oracle, SpecFile
from geak_evaluator.sandbox import memory
from geak_evaluator.sandbox.box import Sandbox
from geak_evaluator.sandbox.policy import Limits

TOLD = b'''"""What its process may take, whatever it is given."""
import resource

import torch
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(axes={"N": Axis(1, 64)}, inputs={"x": Tensor("N")}, outputs=Tensor("N"), cases=[{"N": 2}])


def reference(x):
    cpu_s, _ = resource.getrlimit(resource.RLIMIT_CPU)
    return torch.tensor([torch.get_num_threads(), cpu_s]) + 0 * x
'''


def test_all_processors_may_compute_what_is_large(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracles, "_processors", lambda: 3)
    with Oracle(box, SpecFile(Path("/specs/told.py"), TOLD), Limits(20, cpu_s=40)) as oracle:
        (case,) = oracle.about.spec.cases
        told = [oracle.case(case, "gfx942", patient=patient).expected(0).tolist() for patient in (False, True, False)]
    # A processor's time is counted over all of them, and a child that has more keeps it.
    assert told == [[1, 40], [3, 3 * 3 * 40], [1, 3 * 3 * 40]]


SPACE = TOLD.replace(b"RLIMIT_CPU", b"RLIMIT_AS").replace(b"cpu_s]", b"cpu_s >> 20]")


def test_what_is_large_may_have_half_of_the_memory_that_is_there(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracles, "_processors", lambda: 3)
    limits, told = Limits(20, memory=1 << 30), []
    for spared in (1, 8):
        monkeypatch.setattr(oracles, "spare", lambda spared=spared: spared << 30)
        with Oracle(box, SpecFile(Path("/specs/told.py"), SPACE), limits) as oracle:
            (case,) = oracle.about.spec.cases
            told += [oracle.case(case, "gfx942", patient=patient).expected(0)[1] for patient in (False, True)]
    assert [here - told[0] for here in told] == [0, 3 * 64, 0, 3 * 64 + 3 * 1024]


def test_what_can_be_spared_is_the_least_of_machine_and_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.spare() == 0
    (tmp_path / "meminfo").write_text("MemTotal:  8000 kB\nMemAvailable:  5000 kB\nHugePages_Total: 0\n")
    assert memory.spare() == 5000 << 10
    for name, text in {"max": "max", "current": "3000", "stat": "anon 1\ninactive_file 500\n"}.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory.spare() == 5000 << 10
    (tmp_path / "memory.max").write_text("4000\n")
    assert memory.spare() == 1500
    (tmp_path / "memory.max").write_text("100\n")
    assert memory.spare() == 0


class Seen(Mode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.formats: list[tuple[str, torch.dtype]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.formats.append((func.overloadpacket.__name__, result.dtype))
        return result


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_products_of_halves_are_made_in_float32_and_rounded(half: torch.dtype) -> None:
    a, b = (torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(half) for shape in ((5, 300), (300, 7)))
    with Seen() as seen, lifting.WideProducts():  # type: ignore[no-untyped-call]
        found = torch.addmm(a.new_ones(7), a, b).exp()
    assert ("addmm", torch.float32) in seen.formats
    assert ("exp", half) in seen.formats  # all else is computed in the formats that were given
    assert torch.equal(found, (1 + a.float() @ b.float()).to(half).exp())


def test_other_products_are_left_alone() -> None:
    a = torch.eye(4, dtype=torch.float64)
    with Seen() as seen, lifting.WideProducts():  # type: ignore[no-untyped-call]
        product = a @ a
    assert seen.formats == [("mm", torch.float64)]
    assert torch.equal(product, a)


LARGE = b'''"""A product that says how it was made."""
import torch
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 64)},
    inputs={"a": Tensor("N, N", "fp16"), "b": Tensor("N, N", "fp16")},
    outputs=Tensor("N, N", "fp16"),
    cases=[{"N": 4}],
)


def reference(a, b):
    from torch.utils._python_dispatch import _get_current_dispatch_mode_stack as modes

    return torch.full_like(a, any(type(mode).__name__ == "WideProducts" for mode in modes())) + 0 * a @ b
'''


def test_so_are_those_of_a_reference_at_a_size_that_is_timed(box: Sandbox) -> None:
    with Oracle(box, SpecFile(Path("/specs/large.py"), LARGE), Limits(20)) as oracle:
        (case,) = oracle.about.spec.cases
        for patient in (False, True):
            answer = oracle.case(case, "gfx942", native=True, patient=patient)
            native = answer.native(0)
            assert native is not None
            assert native[:].tolist() == [[float(patient)] * 4] * 4
            assert answer.expected(0).tolist() == [[0.0] * 4] * 4  # the truth is in float64, as ever


NARROW = b'''"""A product of floats of 8 bits, which torch gives in 8 bits."""
from geak_evaluator import Axis, Spec, Tensor

spec = Spec(
    axes={"N": Axis(1, 64)},
    inputs={"a": Tensor("N, N", "fp8_e5m2"), "b": Tensor("N, N", "fp8_e5m2")},
    outputs=Tensor("N, N", "fp32"),
    cases=[{"N": 64}],
)


def reference(a, b):
    return a @ b
'''


def test_what_a_product_of_the_narrowest_loses_is_known(box: Sandbox) -> None:
    with Oracle(box, SpecFile(Path("/specs/narrow.py"), NARROW), Limits(20)) as oracle:
        (case,) = oracle.about.spec.cases
        answer = oracle.case(case, "gfx942", native=True)
        native = answer.native(0)
        assert native is not None
        assert 0 < abs(native[:] - answer.expected(0)).max() < 1e-3
