"""Sizes are found among the arguments, whatever their shapes say of them."""

from __future__ import annotations

import pytest

from geak_evaluator.schema.spec import Axis, Spec, Tensor
from geak_evaluator.seeds.branches import CannotSeed, branches
from geak_evaluator.seeds.sizes import Sizes


def spec(*shapes: str, strides: str = "", where: tuple[str, ...] = (), **axes: Axis) -> Spec:
    inputs = {f"t{i}": Tensor(shape) for i, shape in enumerate(shapes)}
    if strides:
        inputs["t0"] = Tensor(shapes[0], strides=tuple(strides.split(", ")))
    return Spec(axes=axes, inputs=inputs, cases=(), where=where)


def lines(of: Spec, *used: str) -> list[str]:
    return Sizes(of, branches(of)[0], {}).lines(set(used))


def test_plain_shapes_are_taken_apart() -> None:
    assert lines(spec("M, N", M=Axis(1, 9), N=Axis(1, 9)), "M", "N") == ["M, N = t0.shape"]
    assert lines(spec("M, N", M=Axis(1, 9), N=Axis(1, 9)), "N") == ["_, N = t0.shape"]


def test_what_was_added_or_multiplied_is_taken_back() -> None:
    assert lines(spec("E + 1", E=Axis(1, 9)), "E") == ["E = t0.shape[0] - 1"]
    assert lines(spec("2 * N", N=Axis(1, 9)), "N") == ["N = t0.shape[0] // 2"]


def test_a_divided_size_is_known_by_its_multiple() -> None:
    packed = spec("K // 2", K=Axis(32, 512, multiple_of=32))
    assert lines(packed, "K_32") == ["K_32 = t0.shape[0] // 16"]


def test_a_part_of_a_size_tells_it_where_it_is_a_multiple() -> None:
    grouped = spec("M", M=Axis(1, 9), C=Axis(4, 64, multiple_of=4))
    sizes = Sizes(grouped, branches(grouped)[0], {"weight.shape": ["M", "C//4"]})
    assert sizes.lines({"C"}) == ["C = 4 * weight.shape[1]"]
    odd = spec("M", M=Axis(1, 9), C=Axis(6, 66, multiple_of=6))
    with pytest.raises(CannotSeed, match="the size C cannot be told"):
        Sizes(odd, branches(odd)[0], {"weight.shape": ["M", "C//4"]}).lines({"C"})


def test_a_size_may_be_told_by_strides_alone() -> None:
    padded = spec("M, N", strides="N + PAD, 1", M=Axis(1, 9), N=Axis(1, 9), PAD=Axis(0, 4))
    assert lines(padded, "N", "PAD") == ["_, N = t0.shape", "PAD = t0.stride()[0] - N"]


def test_a_size_that_no_argument_tells_is_named() -> None:
    with pytest.raises(CannotSeed, match="the size K cannot be told"):
        lines(spec("M", M=Axis(1, 9), K=Axis(1, 9)), "K")
