"""Sums: an identity, a share or an axis is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "row_sum": (
        Variant("rows are taken for adjacent", "x.stride(0), N", "N, N", "right if .*x were contiguous", quick=True),
        Variant(
            "the mask forgets where a block starts",
            "mask=start + cols < N",
            "mask=cols < N",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the sum is that of the last block",
            "total += tl.load",
            "total = tl.load",
            "right if .*of N only the last 3 of 4099 counted",
        ),
        Variant(
            "the sums have the type of x",
            "dtype=torch.float32",
            "dtype=x.dtype",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
            quick=True,
        ),
        Variant(
            "the mean instead of the sum",
            "tl.sum(total, axis=0))",
            "tl.sum(total, axis=0) / N)",
            r"right if .*\(line \d+\) were the mean",
        ),
        Variant("padding counts as one", "other=0.0", "other=1.0", "right if .*N went on to 4 with 1"),
        Variant(
            "the last block is left out", "range(0, N, BLOCK)", "range(0, N - BLOCK + 1, BLOCK)", "everything is 0:"
        ),
        Variant("the maximum instead of the sum", "tl.sum(total, axis=0)", "tl.max(total, axis=0)", r"wrong at \["),
        Variant(
            "the dimensions are kept",
            "torch.empty((M,)",
            "torch.empty((M, 1)",
            r"output 0 has shape \(4, 1\); \(4,\) is expected",
            Cause.WRONG_SHAPE,
        ),
        Variant("every row is written to the first", "sum_ptr + row,", "sum_ptr,", "3 of them never written"),
    ),
    "column_stats": (
        Variant(
            "the unbiased variance",
            "axis=0) / M, mask",
            "axis=0) / (M - 1), mask",
            r"right if .*\(line \d+\) were divided by one less",
        ),
        Variant(
            "padding is centred too",
            "tl.where(inside, away * away, 0.0)",
            "away * away",
            "off by a multiple of the square of output 0:",
            quick=True,
        ),
        Variant("the wrong axis", "mean = tl.sum(total, axis=0)", "mean = tl.sum(total, axis=1)", r"wrong at 0\["),
        Variant(
            "the sum is not cleared",
            "/ M\n    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)\n",
            "/ M\n",
            "off by a multiple of output 0:",
        ),
        Variant(
            "divided by the other size",
            "mean = tl.sum(total, axis=0) / M",
            "mean = tl.sum(total, axis=0) / N",
            r"everything is 0\.2222 times what is expected, which is M / N here",
        ),
        Variant(
            "the store has no mask",
            "axis=0) / M, mask=cols < N)",
            "axis=0) / M)",
            "store out of bounds.*of argument 'var_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant("the outputs are exchanged", "return mean, var", "return var, mean", "it is what output 1 must be"),
        Variant(
            "the variance has the type of x",
            "var = torch.empty((N,), dtype=torch.float32",
            "var = torch.empty((N,), dtype=x.dtype",
            r"output 1 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
            quick=True,
        ),
        Variant(
            "the last rows are left out",
            "rows = tl.arange(0, BLOCK_M)\n    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)\n"
            "    for start in range(0, M, BLOCK_M):",
            "rows = tl.arange(0, BLOCK_M)\n    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)\n"
            "    for start in range(0, M - M % BLOCK_M, BLOCK_M):",
            "everything is 0:",
        ),
        Variant(
            "the mean is not returned",
            "return mean, var",
            "return var",
            "it returned 1 tensor; 2 tensors expected",
            Cause.WRONG_OUTPUTS,
        ),
    ),
    "mse_loss": (
        Variant(
            "the sum instead of the mean",
            "tl.sum(part, axis=0) / total",
            "tl.sum(part, axis=0)",
            r"right if .*\(line \d+\) were the sum",
            quick=True,
        ),
        Variant(
            "the load has no mask",
            "x_ptr + index, mask=index < total, other=0.0",
            "x_ptr + index",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "distances instead of squares",
            "(x - target) * (x - target)",
            "tl.abs(x - target)",
            r"right if .*\(line \d+\) were the magnitude",
        ),
        Variant(
            "padding of x counts as one",
            "x_ptr + index, mask=index < total, other=0.0",
            "x_ptr + index, mask=index < total, other=1.0",
            r"wrong at \[",
        ),
        Variant(
            "one dimension too many",
            "torch.empty((), ",
            "torch.empty((1,), ",
            r"output 0 has shape \(1,\); \(\) is expected",
            Cause.WRONG_SHAPE,
            quick=True,
        ),
        Variant(
            "the parts have no mask",
            "part_ptr + lanes, mask=lanes < parts, other=0.0",
            "part_ptr + lanes",
            "load out of bounds.*of argument 'part_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "divided by the number of parts",
            "axis=0) / total",
            "axis=0) / parts",
            r"right if .*\(line \d+\) were the sum",
        ),
        Variant(
            "the loss has the type of x",
            "torch.empty((), dtype=torch.float32",
            "torch.empty((), dtype=x.dtype",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant("the last block is left out", "tl.cdiv(total, BLOCK), tl", "total // BLOCK, tl", "everything is 0:"),
        Variant(
            "one program",
            "_squares[(parts,)]",
            "_squares[(1,)]",
            "output 0 was never written",
            Cause.UNWRITTEN,
        ),
    ),
    "segment_sum": (
        Variant(
            "a run ends where it begins",
            "offsets_ptr + segment + 1",
            "offsets_ptr + segment",
            "everything is 0:",
            quick=True,
        ),
        Variant(
            "a run's last tile runs into the next",
            "(rows < end)[:, None] & (cols < D)[None, :]",
            "(cols < D)[None, :]",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant("the sum is that of the last block", "total += tl.load", "total = tl.load", r"wrong at \["),
        Variant(
            "the end is included",
            "rows < end",
            "rows <= end",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant("empty runs are not written", "mask=cols < D)", "mask=(cols < D) & (first < end))", r"never written\?"),
        Variant("every run begins at the first row", "range(first, end,", "range(0, end,", r"only from row \d of 9 on"),
        Variant(
            "the sums have the type of x",
            "dtype=torch.float32",
            "dtype=x.dtype",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant(
            "only the first block of columns",
            "triton.cdiv(D, BLOCK_D))](",
            "1)](",
            r"only from column 128 of 130 on, never written\?",
        ),
        Variant(
            "rows are taken for elements", "rows[:, None] * D", "rows[:, None]", "right if .*x had stride 1 along N"
        ),
    ),
    "index_add": (
        Variant(
            "what was there is lost",
            "tl.load(out_ptr + row * D + cols, mask=cols < D, other=0.0).to(tl.float32)",
            "tl.zeros((BLOCK_D,), tl.float32)",
            "right if .*out were 0",
            quick=True,
        ),
        Variant(
            "padding names row 0",
            "other=-1",
            "other=0",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant("the sum is that of the last block", "total += tl.sum", "total = tl.sum", "right if .*out were 0"),
        Variant(
            "the last block is left out",
            "range(0, N, BLOCK_N)",
            "range(0, N // BLOCK_N * BLOCK_N, BLOCK_N)",
            "what is wrong is out as it was given",
        ),
        Variant(
            "the stride of x",
            "[:, None] * D + cols[None, :]",
            "[:, None] * BLOCK_D + cols[None, :]",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "added to what is there already",
            "tl.store(out_ptr + row * D + cols, total.to(out_ptr.dtype.element_ty)",
            "tl.atomic_add(out_ptr + row * D + cols, total.to(out_ptr.dtype.element_ty)",
            "out is added to everything once too often",
        ),
        Variant(
            "the wrong axis",
            "axis=0)\n    tl.store",
            "axis=1)\n    tl.store",
            "Cannot make_shape_compatible: incompatible dimensions at index 0: 4 and 32",
            Cause.COMPILE_ERROR,
        ),
        Variant(
            "the store has no mask",
            "element_ty), mask=cols < D)",
            "element_ty))",
            "store out of bounds.*of argument 'out_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant("the next row", "other=-1) == row", "other=-1) == row + 1", "what is wrong is out as it was given"),
        Variant("adds to a copy", "](out, index,", "](out.clone(), index,", "what is wrong is out as it was given"),
    ),
}
