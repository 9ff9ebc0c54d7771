import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geak_evaluator.schema import layout
from geak_evaluator.schema.layout import Slot
from geak_evaluator.schema.spec import Axis, Case, Scalar, Spec, Tensor

GIB = 1 << 30


def slot(shape=(2, 3), strides=None, format="fp32", offset=0):
    return Slot("x", format, shape, layout.contiguous(shape) if strides is None else strides, offset)


@pytest.mark.parametrize(
    ("shape", "strides"),
    [((), ()), ((5,), (1,)), ((2, 3, 4), (12, 4, 1)), ((2, 1, 4), (4, 4, 1)), ((2, 0, 4), (4, 4, 1))],
)
def test_contiguous_strides(shape, strides):
    assert layout.contiguous(shape) == strides


@pytest.mark.parametrize(
    ("shape", "strides", "elements"),
    [((), (), 1), ((5,), (1,), 5), ((2, 3), (8, 1), 11), ((2, 0), (8, 1), 0), ((4,), (0,), 1), ((3, 2), (1, 3), 6)],
)
def test_a_storage_spans_the_gaps_as_well(shape, strides, elements):
    found = slot(shape, strides, "fp64", offset=256)
    assert (found.elements, found.bytes, found.end) == (elements, 8 * elements, 256 + 8 * elements)


_SLOTS = st.lists(
    st.builds(
        slot, st.lists(st.integers(0, 9), max_size=4).map(tuple), format=st.sampled_from(["int8", "bf16", "fp64"])
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=2000)
@given(_SLOTS, st.integers(0, 1000))
def test_what_is_placed_is_aligned_and_lies_well_apart(slots, start):
    placed = layout.place(slots, start=start)
    assert [replace(p, offset=0) for p in placed] == slots
    assert all(p.offset % 256 == 0 and p.offset >= start for p in placed)
    assert all(a.end + (1 << 14) <= b.offset for a, b in itertools.pairwise(placed))
    assert layout.extent(placed) == (placed[-1].end if placed else 0)
    assert layout.check(placed, 1 << 20) == ""


def test_the_extent_is_the_end_of_the_furthest():
    assert layout.extent([slot(offset=512), slot(offset=0)]) == 512 + 24
    assert layout.extent([]) == 0


def test_the_inputs_of_a_case():
    spec = Spec(
        axes={"M": Axis(1, 9), "N": Axis(1, 9)},
        dtypes={"T": ("fp16", "fp32")},
        inputs={
            "x": Tensor("M, N", "T", strides="N + n, 1"),
            "n": Scalar("int", "M * 2"),
            "bias": Tensor("N", "fp8_e4m3", optional=True),
            "k": Tensor("n", "int64"),
        },
        cases=[],
    )
    case = Case({"M": 2, "N": 3, "T": "fp16"})
    assert layout.inputs(spec, case, "gfx942") == (
        Slot("x", "fp16", (2, 3), (7, 1), 16384),
        Slot("bias", "fp8_e4m3fnuz", (3,), (1,), 33024),
        Slot("k", "int64", (4,), (1,), 49664),
    )
    assert layout.inputs(spec, case, "sm_90")[1].format == "fp8_e4m3fn"
    without = layout.inputs(spec, replace(case, without=("bias",)), "gfx942")
    assert [s.path for s in without] == ["x", "k"]


@pytest.mark.parametrize(
    "lie",
    [
        slot(format="fp8_e4m3"),
        slot(format="float32"),
        slot(format=""),
        slot((2, 3), (1,)),
        slot((2,), (3, 1)),
        slot((1,) * 17),
        slot((-1, 3), (3, 1)),
        slot((2, 3), (-3, 1)),
        slot((2, 3), offset=-256),
        slot((2, 3), offset=1 << 70),
        slot((1,), (1 << 70,)),
        slot((1 << 70,), (0,)),
        slot((GIB, GIB), (0, 0)),
        slot((0, GIB, GIB), (1, 1, 1)),
        slot((1 << 16, 1 << 16, 1 << 32)),
        slot((GIB // 4 + 1,)),
        slot((GIB // 4,), offset=256),
        slot((2, 2), (GIB // 4, 1)),
    ],
    ids=str,
)
def test_a_lie_about_a_layout_is_refused(lie):
    assert layout.check([slot(), lie], GIB).startswith("x: ")


@pytest.mark.parametrize("honest", [slot((GIB // 4,)), slot(()), slot((0, 5)), slot((1,) * 16), slot((2, 3), (9, 2))])
def test_an_honest_layout_passes(honest):
    assert layout.check([honest], GIB) == ""


_ANY = st.one_of(st.integers(-3, 1 << 8), st.integers(), st.sampled_from([1 << 31, 1 << 62, 1 << 64, 10**40]))


@settings(max_examples=300, deadline=2000)
@given(
    st.lists(_ANY, max_size=5).map(tuple),
    st.lists(_ANY, max_size=5).map(tuple),
    _ANY,
    st.sampled_from(["fp32", "bool", "no", "int64"]),
)
def test_what_passes_the_check_fits(shape, strides, offset, format):
    told = Slot("x", format, shape, strides, offset)
    if layout.check([told], 1 << 20) == "":
        assert 0 <= told.offset <= told.end <= 1 << 20
        assert math.prod(shape) <= 1 << 20
