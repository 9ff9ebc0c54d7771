"""Scans, searches and sorts: a carry, a tie or a padding value is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "cumsum": (
        Variant(
            "the carry is that of the last block alone",
            "before += tl.sum",
            "before = tl.sum",
            "only from column 2048 of 2053 on",
        ),
        Variant(
            "no carry", "before + tl.cumsum(x, axis=0)", "tl.cumsum(x, axis=0)", "only from column 1024 of 2053 on"
        ),
        Variant(
            "exclusive, not inclusive",
            "tl.cumsum(x, axis=0), mask",
            "tl.cumsum(x, axis=0) - x, mask",
            "along axis 1 it is what belongs 1 before it",
            quick=True,
        ),
        Variant(
            "the result has the type of x",
            "dtype=torch.float32",
            "dtype=x.dtype",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant(
            "scanned in half precision",
            "other=0.0).to(tl.float32)",
            "other=0.0).to(tl.float16)",
            r"right to \d digits: is something rounded",
        ),
        Variant(
            "the mask forgets where a block starts",
            "inside = start + cols < N",
            "inside = cols < N",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "rows lie a block apart",
            "tl.int64) * N",
            "tl.int64) * BLOCK",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "from the right",
            "tl.cumsum(x, axis=0)",
            "tl.cumsum(x, axis=0, reverse=True)",
            "right if .*N were gone through from its end",
        ),
    ),
    "argmax": (
        Variant(
            "the last of equal values", "value > best", "value >= best", "of equal values another one is asked for"
        ),
        Variant(
            "ties within a block go to the right",
            "return_indices=True",
            "return_indices=True, return_indices_tie_break_left=False",
            "of equal values another one is asked for",
        ),
        Variant("padding is zero", 'other=float("-inf")', "other=0.0", "an index lies beyond"),
        Variant(
            "the maximum starts at zero",
            'tl.full((), float("-inf"), tl.float32)',
            "tl.full((), 0.0, tl.float32)",
            r"wrong at \[",
        ),
        Variant("the index within the block", "start + place", "place", "off by multiples of 1024"),
        Variant(
            "the index is int32",
            "dtype=torch.int64",
            "dtype=torch.int32",
            r"output 0 is torch\.int32; torch\.int64 is expected",
            Cause.WRONG_DTYPE,
            quick=True,
        ),
        Variant(
            "the mask forgets where a block starts",
            "mask=start + cols < N",
            "mask=cols < N",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the minimum",
            "tl.max(x, axis=0, return_indices=True)",
            "tl.min(x, axis=0, return_indices=True)",
            r"wrong at \[",
            quick=True,
        ),
        Variant("the best so far is not kept", "best = tl.maximum(best, value)", "best = value", r"wrong at \["),
    ),
    "topk": (
        Variant("padding is zero", 'other=float("-inf")', "other=0.0", "right if .*N went on to 4 with 0"),
        Variant(
            "ties go to the right",
            "return_indices=True",
            "return_indices=True, return_indices_tie_break_left=False",
            "of equal values another one is asked for",
        ),
        Variant(
            "all equal values are taken out",
            "tl.where(cols == place",
            "tl.where(x == value",
            "all of it are values of x, but of the wrong places",
        ),
        Variant("the smallest", "tl.max(x, axis=0", "tl.min(x, axis=0", r"\-infinity where a number is expected"),
        Variant(
            "nothing is taken out",
            '        x = tl.where(cols == place, float("-inf"), x)\n',
            "",
            "along axis 1 it is what belongs 1 before it",
            quick=True,
        ),
        Variant(
            "the indices are int32",
            "dtype=torch.int64",
            "dtype=torch.int32",
            r"output 1 is torch\.int32; torch\.int64 is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant(
            "values in ascending order",
            "value_ptr + row * K + k",
            "value_ptr + row * K + K - 1 - k",
            "along axis 1 it is turned round",
        ),
        Variant(
            "the load has no mask",
            'mask=cols < N, other=float("-inf")',
            "",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the stride of the indices",
            "index_ptr + row * K + k",
            "index_ptr + row * N + k",
            "store out of bounds.*of argument 'index_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant("one value too few", "range(K)", "range(K - 1)", r"never written\?"),
        Variant(
            "the values are taken out as zeros", 'float("-inf"), x)', "0.0, x)", "0 where a negative number is expected"
        ),
    ),
    "sort_rows": (
        Variant("padding is zero", "other=LARGEST", "other=0", "right if .*N went on to 8 with 0"),
        Variant(
            "descending", "tl.sort(x)", "tl.sort(x, descending=True)", "infinity where a number is expected", quick=True
        ),
        Variant(
            "padding of floats is their smallest",
            'float("inf")',
            'float("-inf")',
            r"\-infinity where a number is expected",
        ),
        Variant(
            "padding of whole numbers is a million",
            "torch.iinfo(x.dtype).max",
            "1000000",
            r"1e\+06, which x does not hold, stands in",
        ),
        Variant(
            "the store has no mask",
            "tl.sort(x), mask=cols < N)",
            "tl.sort(x))",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the result is fp32",
            "torch.empty_like(x)",
            "torch.empty_like(x, dtype=torch.float32)",
            r"output 0 is torch\.\w+; torch\.int32 is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant("not sorted at all", "tl.sort(x)", "x", "what is wrong is x as it was given"),
        Variant(
            "rows are cut at 128",
            "LARGEST, triton.next_power_of_2(N)",
            "LARGEST, min(triton.next_power_of_2(N), 128)",
            "131 of them never written",
        ),
        Variant(
            "sorts in place",
            "torch.empty_like(x)",
            "x",
            "it changed its input x, which it may not",
            Cause.CHANGED_INPUT,
        ),
    ),
}
