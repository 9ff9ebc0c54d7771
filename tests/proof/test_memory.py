"""What a comparison takes beside the bytes that are there anyway: pieces, and never a whole tensor as wide numbers."""

import tracemalloc

import numpy as np
import pytest

from geak_evaluator.comparing import compared, decides
from geak_evaluator.oracle import Answer
from geak_evaluator.proof import budget, numbers
from geak_evaluator.proof.compare import compare
from geak_evaluator.proof.values import Values
from geak_evaluator.sandbox.memory import SharedMemory
from geak_evaluator.schema.exchange import CaseReply, Expected
from geak_evaluator.schema.layout import Slot, contiguous, place
from geak_evaluator.schema.spec import Axis, Case, Spec, Tensor

ELEMENTS = 1 << 23
SHAPES = [(ELEMENTS,), (1 << 11, 1 << 12), (1, 4, ELEMENTS // 4)]


def peak(work):
    tracemalloc.start()
    try:
        result = work()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def ones(shape, format="fp16"):
    bits = {"fp16": 0x3C00, "bf16": 0x3F80}[format]
    return np.full(shape, bits, np.uint16).tobytes(), Slot("y", format, shape, contiguous(shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("format", ["fp16", "bf16"])
def test_an_answer_is_widened_in_pieces(shape, format):
    raw, slot = ones(shape, format)
    truth = np.ones(shape)
    found, most = peak(lambda: compare("y", numbers.stored(raw, slot), truth, format, 4.0))
    assert found.mismatch is None
    assert most < len(raw)
    lost, most = peak(lambda: budget.lost(slot, numbers.stored(raw, slot), truth))
    assert lost == 0.0
    assert most < len(raw)


def test_one_that_is_wrong_everywhere_takes_a_byte_an_element_more():
    raw, slot = ones(SHAPES[1])
    truth = np.full(SHAPES[1], 2.0)
    found, most = peak(lambda: compare("y", numbers.stored(raw, slot), truth, "fp16", 4.0))
    assert found.mismatch.pattern == "everything"
    assert most < 2 * len(raw)


def test_a_case_takes_its_bytes_once_more_and_not_three_times():
    raw, _ = ones(SHAPES[1])
    shape = SHAPES[1]
    spec = Spec(
        axes={"M": Axis(1, 1 << 20), "N": Axis(1, 1 << 20)},
        inputs={"x": Tensor(("M", "N"), "fp16")},
        outputs=Tensor(("M", "N"), "fp16"),
        cases=[{"M": shape[0], "N": shape[1]}],
    )
    case = Case({"M": shape[0], "N": shape[1]})
    (x,) = place([Slot("x", "fp16", shape, contiguous(shape))])
    truth, native = place([Slot("y", kind, shape, contiguous(shape)) for kind in ("fp64", "fp16")])
    expected = bytearray(native.end)
    expected[truth.offset : truth.end] = np.ones(shape).tobytes()
    expected[native.offset : native.end] = raw
    answer = Answer(
        (x,),
        CaseReply((Expected("y", "fp16", truth, native),)),
        b"\0" * x.offset + raw,
        bytes(expected),
    )
    del expected
    with SharedMemory(x.end) as given, SharedMemory(answer.wanted[0].end) as got:
        given.map[x.offset : x.end] = raw
        got.map[answer.wanted[0].offset : answer.wanted[0].end] = raw
        found, most = peak(lambda: compared(spec, case, answer, given, got))
        assert found.cause is None
        assert most < 2 * len(raw)
        yes, most = peak(lambda: decides(spec, answer, Values("", {})))
        assert yes
        assert most < 1.5 * len(raw)
