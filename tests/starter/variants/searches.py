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
            r"wrong at \[0, 0\]: got 0, expected",
            quick=True,
        ),
        Variant(
            "the result has the type of x",
            "dtype=torch.float32",
            "dtype=x.dtype",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant("scanned in half precision", "other=0.0).to(tl.float32)", "other=0.0).to(tl.float16)", r"wrong at \["),
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
        Variant("from the right", "tl.cumsum(x, axis=0)", "tl.cumsum(x, axis=0, reverse=True)", r"wrong at \["),
    ),
    "argmax": (
        Variant("the last of equal values", "value > best", "value >= best", r"wrong at \["),
        Variant(
            "ties within a block go to the right",
            "return_indices=True",
            "return_indices=True, return_indices_tie_break_left=False",
            r"wrong at \[",
        ),
        Variant("padding is zero", 'other=float("-inf")', "other=0.0", r"wrong at \["),
        Variant(
            "the maximum starts at zero",
            'tl.full((), float("-inf"), tl.float32)',
            "tl.full((), 0.0, tl.float32)",
            r"wrong at \[",
        ),
        Variant("the index within the block", "start + place", "place", r"wrong at \["),
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
        Variant("padding is zero", 'other=float("-inf")', "other=0.0", r"wrong at 0\["),
        Variant(
            "ties go to the right",
            "return_indices=True",
            "return_indices=True, return_indices_tie_break_left=False",
            r"wrong at 1\[",
        ),
        Variant(
            "all equal values are taken out",
            "tl.where(cols == place",
            "tl.where(x == value",
            r"wrong at 0\[",
        ),
        Variant("the smallest", "tl.max(x, axis=0", "tl.min(x, axis=0", "got -inf,"),
        Variant(
            "nothing is taken out",
            '        x = tl.where(cols == place, float("-inf"), x)\n',
            "",
            r"wrong at 0\[.*only in column 1",
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
            "values in ascending order", "value_ptr + row * K + k", "value_ptr + row * K + K - 1 - k", r"wrong at 0\["
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
        Variant("the values are taken out as zeros", 'float("-inf"), x)', "0.0, x)", r"wrong at 0\["),
    ),
    "sort_rows": (
        Variant("padding is zero", "other=LARGEST", "other=0", r"wrong at \["),
        Variant("descending", "tl.sort(x)", "tl.sort(x, descending=True)", "got inf,", quick=True),
        Variant("padding of floats is their smallest", 'float("inf")', 'float("-inf")', "got -inf,"),
        Variant("padding of whole numbers is a million", "torch.iinfo(x.dtype).max", "1000000", r"wrong at \["),
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
        Variant("not sorted at all", "tl.sort(x)", "x", r"wrong at \["),
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
