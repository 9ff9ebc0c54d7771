from __future__ import annotations

from typing import Any

import pytest

from geak_evaluator.recording.seen import CannotPass, sketch
from geak_evaluator.schema.observed import Entry, Gridded, Seen, Sketch


def tensor(*shape: int, dtype: str = "float32", **drawn: Any) -> dict[str, Any]:
    return {"tensor": list(shape), "dtype": dtype, "drawn": drawn}


def drawn(*calls: dict[str, Any], kind: str = "function", grids: tuple[tuple[int, ...], ...] = ()) -> Sketch:
    seen = tuple(Seen(args, grid=grids[i] if grids else ()) for i, args in enumerate(calls))
    found = sketch(Entry("entry", kind, seen))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_size_that_was_always_a_function_of_another_stays_one():
    found = drawn(*[{"x": tensor(n, m), "words": tensor(-(-n // 32)), "ends": tensor(m + 1), "flat": tensor(n * m)}
                    for n, m in ((64, 5), (100, 7), (31, 11), (129, 4))])  # fmt: skip
    assert set(found.axes) == {"x0", "x1"}
    assert found.shapes == {"x": ("x0", "x1"), "words": ("cdiv(x0, 32)",), "ends": ("x1 + 1",), "flat": ("x0 * x1",)}
    assert found.plain


def test_a_size_that_was_always_the_sum_of_two_others_stays_one():
    found = drawn(
        *[{"k": tensor(n), "v": tensor(m), "both": tensor(n + m)} for n, m in ((64, 32), (128, 64), (64, 80))]
    )
    assert found.shapes["both"] == ("k0 + v0",)
    assert set(found.axes) == {"k0", "v0"}


def test_slots_of_pages_are_different_numbers_below_what_all_pages_hold():
    calls = [(16, 16, 40), (32, 16, 90), (24, 8, 30)]
    slots = [
        {"pages": tensor(n, page, 64), "slots": tensor(k, dtype="int64", min=1, max=n * page - 3, distinct=k)}
        for n, page, k in calls
    ]
    assert drawn(*slots).inputs["slots"] == 'Tensor("slots0", "int64", fill="permutation(pages0 * pages1)")'
    slots[1]["slots"]["drawn"]["distinct"] -= 1  # drawn with repetition
    assert 'fill="integers(0, pages0 * pages1)"' in drawn(*slots).inputs["slots"]


def test_the_ends_of_parts_are_no_permutation():
    ends = {"min": 0, "distinct": 5, "permutation": True, "sorted": True, "values": [0, 1, 2, 3, 4]}
    calls = [{"x": tensor(4), "ends": tensor(5, dtype="int32", max=4, **ends)}]
    calls.append({"x": tensor(8), "ends": tensor(9, dtype="int32", max=8, **{**ends, "distinct": 9})})
    found = drawn(*calls)
    assert "fill" not in found.inputs["ends"]
    assert found.values[0] == {"ends": [0, 1, 2, 3, 4]}


def test_one_number_is_no_rule():
    one = {"min": 0, "max": 0, "distinct": 1, "permutation": True, "sorted": True, "values": [0]}
    more = {"min": 0, "max": 2, "distinct": 3, "permutation": True, "sorted": True, "values": [0, 1, 2]}
    calls = [{"x": tensor(8), "at": tensor(n, dtype="int32", **info)} for n, info in ((1, one), (3, more))]
    assert drawn(*calls).inputs["at"].startswith("Tensor(")
    assert drawn({"x": tensor(8), "at": tensor(1, dtype="int32", **{**one, "distinct": 2})}).values == ({"at": [0]},)


def test_an_input_that_only_a_left_out_call_has_is_none_in_the_others():
    calls = [{"x": tensor(n, 4), "more": None} for n in (8, 9)]
    found = drawn(*calls, {"x": tensor(2, 3, 4), "more": tensor(2, 3)})
    assert found.call == "entry(x, None)"


def test_a_few_numbers_of_many_are_different_by_luck():
    calls = [
        {"rows": tensor(n), "at": tensor(20, dtype="int64", min=9, max=n - 2, distinct=20)} for n in (900, 1000, 1100)
    ]
    assert 'fill="integers(9, rows0)"' in drawn(*calls).inputs["at"]


@pytest.mark.parametrize(
    ("values", "fill"),
    [
        ({"min": 3, "max": 3, "distinct": 1}, "constant(3)"),
        ({"min": 64, "max": 64, "distinct": 1}, "constant(x0)"),
        ({"min": 0, "max": 4, "distinct": 5, "permutation": True, "values": [4, 0, 1, 2, 3]}, "permutation(at0)"),
        ({"min": 0, "max": 62, "distinct": 40}, "integers(0, x0)"),
        ({"min": -7, "max": 90, "distinct": 60}, "integers(-7, 91)"),
    ],
)
def test_whole_numbers_are_drawn_as_they_seem_to_be(values, fill):
    found = drawn({"x": tensor(64), "at": tensor(5, dtype="int32", **values)})
    assert f'fill="{fill}"' in found.inputs["at"]
    assert found.values == ({},)


def test_numbers_that_follow_no_rule_are_kept_one_by_one():
    found = drawn({"x": tensor(64), "at": tensor(3, dtype="int32", min=0, max=9, distinct=3, values=[9, 0, 4])})
    assert "fill" not in found.inputs["at"]
    assert found.values == ({"at": [9, 0, 4]},)


def test_what_no_spec_can_pass_is_written_into_the_call_and_other_combinations_are_left_out():
    calls = [
        {"xs": {"list": [tensor(n), tensor(n)]}, "mode": "sum", "dtype": {"dtype": "torch.float16"}} for n in (4, 8)
    ]
    found = drawn(*calls, {"xs": {"list": [tensor(9), tensor(9)]}, "mode": "mean", "dtype": None})
    assert found.call == "entry([xs_0, xs_1], 'sum', torch.float16)"
    assert not found.plain
    assert list(found.inputs) == ["xs_0", "xs_1"]
    assert [case["xs_00"] for case in found.cases] == [4, 8]
    assert found.notes[0].startswith("1 calls with other arguments")
    with pytest.raises(CannotPass, match=r"a nn\.Module, which no spec can pass"):
        drawn({"x": tensor(3), "model": {"object": "nn.Module"}})


def test_an_infinity_is_written_into_the_call():
    found = drawn({"x": tensor(4), "masked": {"float": "-inf"}, "xs": {"list": [tensor(3), {"float": "nan"}]}})
    assert found.call == 'entry(x, float("-inf"), [xs_0, float("nan")])'
    assert list(found.inputs) == ["x", "xs_0"]


def test_a_tensor_in_some_calls_and_a_number_in_others_are_two_kinds_of_call():
    found = drawn({"x": tensor(4), "by": tensor(4)}, {"x": tensor(6), "by": tensor(6)}, {"x": tensor(5), "by": 2})
    assert list(found.inputs) == ["x", "by"]
    assert len(found.cases) == 2


def test_a_grid_is_written_from_what_the_kernel_is_passed():
    calls = [{"x": tensor(n), "n": n, "BLOCK": 64} for n in (100, 300, 7)]
    found = drawn(*calls, kind="kernel", grids=((2,), (5,), (1,)))
    assert found.call == "entry[(-(-n // BLOCK),)](x, n, BLOCK)"
    found = drawn(*calls, kind="kernel", grids=((3,), (11,), (2,)))
    assert found.call == "entry[(grid_0,)](x, n, BLOCK)"
    assert "grid_0" in found.inputs


def tiled(*sizes: tuple[int, int], tiles: tuple[tuple[int, int], ...] = ((64, 32), (128, 64))) -> Sketch:
    """An autotuned kernel launched with the product of two numbers of tiles."""
    calls = []
    for m, n in sizes:
        grids = tuple(Gridded({"BM": bm, "BN": bn}, (-(-m // bm) * -(-n // bn),)) for bm, bn in tiles)
        calls.append(Seen({"x": tensor(m, n), "m": m, "n": n}, grid=grids[0].grid, grids=grids))
    found = sketch(Entry("entry", "kernel", tuple(calls)))
    assert found is not None
    return found


def test_a_grid_may_follow_from_the_configuration_of_an_autotuned_kernel():
    found = tiled((100, 30), (700, 90), (130, 500))
    assert found.call == "entry[lambda META: (-(-m // META['BM']) * -(-n // META['BN']),)](x, m, n)"
    assert "META" not in str(found.inputs)


def test_two_launches_are_not_enough_to_tell_four_numbers_by():
    assert "grid_0" in tiled((700, 90)).inputs


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([-(-n // (4 * 64)) for n in (1000, 3000, 70, 5000)], "-(-n // (BLOCK * 4))"),
        ([-(-n // 64) * b for n, b in zip((1000, 3000, 70, 5000), (3, 5, 2, 7), strict=True)], "-(-n // BLOCK) * b"),
    ],
)
def test_a_grid_of_tiles_by_parts(numbers, text):
    calls = [{"x": tensor(n), "n": n, "b": b, "BLOCK": 64} for n, b in ((1000, 3), (3000, 5), (70, 2), (5000, 7))]
    found = drawn(*calls, kind="kernel", grids=tuple((n,) for n in numbers))
    assert found.call == f"entry[({text},)](x, n, b, BLOCK)"


def test_tiles_by_blocks_that_are_called_after_the_sizes_need_no_third_launch():
    calls = [{"a": tensor(m, 8), "b": tensor(8, n), "M": m, "N": n, "BLOCK_M": 16, "BLOCK_SIZE_N": 32}
             for m, n in ((128, 100), (1280, 1000))]  # fmt: skip
    grids = tuple((-(-one["M"] // 16) * -(-one["N"] // 32),) for one in calls)
    found = drawn(*calls, kind="kernel", grids=grids)
    assert found.call.startswith("entry[(-(-M // BLOCK_M) * -(-N // BLOCK_SIZE_N),)]")


def test_a_launch_s_strides_follow_the_axes():
    calls = [
        {"q": tensor(z, n, 64), "stride_qz": n * 64, "stride_qn": 64, "stride_qd": 1, "K": 64, "block": 64}
        for z, n in ((2, 128), (2, 256), (3, 128))
    ]
    found = drawn(*calls, kind="kernel", grids=((1,),) * 3)
    assert found.inputs["stride_qz"] == 'Scalar("int", "q1 * K")'
    assert found.inputs["stride_qn"] == 'Scalar("int", "K")'
    assert found.inputs["stride_qd"] == 'Scalar("int", 1)'
    assert found.inputs["K"] == 'Scalar("int", "K")'
    assert found.inputs["block"] == 'Scalar("int", 64)'  # equal by chance


def test_an_axis_that_is_a_sum_is_taken_whole_within_a_product():
    calls = [{"n": n, "x": tensor(n), "y": tensor(3, n + 1, 5), "stride_y": (n + 1) * 5} for n in (4, 9, 17)]
    found = drawn(*calls)
    assert found.shapes["y"] == ("y0", "N + 1", "y2")
    assert found.inputs["stride_y"] == 'Scalar("int", "(N + 1) * y2")'
