"""Matrix products: a tile, a stride or the accumulator is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "matmul": (
        Variant(
            "no mask along K",
            "& inside[None, :], other=0.0)",
            ", other=0.0)",
            "load out of bounds.*of argument 'a_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant("the accumulator is lost", "tl.dot(a, b, acc)", "tl.dot(a, b)", r"wrong at \[", quick=True),
        Variant(
            "the accumulator is rounded at each step",
            "tl.dot(a, b, acc)",
            "tl.dot(a, b, acc).to(a.dtype).to(tl.float32)",
            r"wrong at \[",
        ),
        Variant(
            "tiles are grouped by a constant height",
            "% (GROUP * tiles_n) // height",
            "% (GROUP * tiles_n) // GROUP",
            r"only from column 64 of \d+ on, never written\?",
        ),
        Variant(
            "the last group is as high as the others",
            "min(tiles_m - group * GROUP, GROUP)",
            "GROUP",
            r"only from column 64 of \d+ on, never written\?",
        ),
        Variant(
            "the stride of b",
            "[:, None] * N + cols[None, :]\n        a =",
            "[:, None] * K + cols[None, :]\n        a =",
            "load out of bounds.*of argument 'b_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the store forgets the columns",
            "mask=(rows < M)[:, None] & (cols < N)[None, :])",
            "mask=(rows < M)[:, None])",
            "store out of bounds.*of argument 'c_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the result is fp32",
            "dtype=a.dtype",
            "dtype=torch.float32",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
            quick=True,
        ),
        Variant("K is rounded down to tiles", "range(0, K, BK)", "range(0, K // BK * BK, BK)", r"wrong at \["),
        Variant(
            "the stride of the result",
            "rows[:, None] * N",
            "rows[:, None] * M",
            "store out of bounds.*of argument 'c_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the grid is rounded down",
            "triton.cdiv(M, BM) * triton.cdiv(N, BN)",
            "max(M // BM, 1) * max(N // BN, 1)",
            r"only from row 64 of 67 on, never written\?",
        ),
    ),
    "batched_matmul": (
        Variant("w is taken for contiguous", "*w.stride()", "N * K, K, 1", r"wrong at \[", quick=True),
        Variant(
            "no mask along K",
            "& inside[None, :], other=0.0)",
            ", other=0.0)",
            "load out of bounds.*of argument 'a_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant("the accumulator is lost", "tl.dot(a, w, acc)", "tl.dot(a, w)", r"wrong at \["),
        Variant(
            "every batch is written over the first",
            "(batch * M + rows[:, None])",
            "rows[:, None]",
            "34 of them never written",
        ),
        Variant(
            "an accumulator in half precision",
            "tl.zeros((BM, BN), tl.float32)",
            "tl.zeros((BM, BN), tl.float16)",
            "Loop-carried variable acc",  # in bf16; in fp16 it compiles, and is wrong
            Cause.COMPILE_ERROR,
        ),
        Variant(
            "the accumulator is rounded at each step",
            "tl.dot(a, w, acc)",
            "tl.dot(a, w, acc).to(a.dtype).to(tl.float32)",
            r"wrong at \[",
        ),
        Variant(
            "the store forgets the rows",
            "mask=(rows < M)[:, None] & (cols < N)[None, :])",
            "mask=(cols < N)[None, :])",
            "store out of bounds.*of argument 'c_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the grid's axes are exchanged",
            "(B, triton.cdiv(M, BM), triton.cdiv(N, BN))",
            "(B, triton.cdiv(N, BN), triton.cdiv(M, BM))",
            r"only from column 128 of 150 on, never written\?",
        ),
        Variant("the batch of a for w", "batch * w_b", "batch * a_b", r"wrong at \[1, "),
    ),
    "linear_gelu": (
        Variant("the constant of the cube", "0.044715", "0.44715", r"wrong at \["),
        Variant(
            "the sigmoid of half of what it should be", "tl.sigmoid(2.0 * inner)", "tl.sigmoid(inner)", r"wrong at \["
        ),
        Variant(
            "the activation is left out", "y = acc * tl.sigmoid(2.0 * inner)", "y = acc", r"wrong at \[", quick=True
        ),
        Variant(
            "the bias goes by row",
            ".to(tl.float32)[None, :]\n",
            ".to(tl.float32)[:, None]\n",
            r"wrong at \[0, [1-9]",
        ),
        Variant(
            "the bias comes after the activation",
            "y.to(y_ptr.dtype",
            "(y + tl.load(bias_ptr + cols, mask=cols < N, other=0.0)[None, :]).to(y_ptr.dtype",
            r"wrong at \[",
        ),
        Variant(
            "weight is not transposed",
            "cols[None, :] * K + (k + depth)[:, None]",
            "(k + depth)[:, None] * N + cols[None, :]",
            r"wrong at \[",
        ),
        Variant("the accumulator is lost", "tl.dot(x, w, acc)", "tl.dot(x, w)", r"wrong at \["),
        Variant(
            "no mask along K",
            "& inside[None, :], other=0.0)",
            ", other=0.0)",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "a bias that is None is read",
            "    if bias_ptr is not None:\n        acc",
            "    acc",
            r"'NoneType'[\s\S]*tl\.load\(bias_ptr",
            Cause.COMPILE_ERROR,
        ),
        Variant(
            "the grid's axes are exchanged",
            "(triton.cdiv(M, BM), triton.cdiv(N, BN))",
            "(triton.cdiv(N, BN), triton.cdiv(M, BM))",
            r"only from column 64 of 80 on, never written\?",
        ),
    ),
    "grouped_gemm": (
        Variant(
            "an expert's last tile runs into the next",
            "mask=(rows < end)[:, None] & (cols < N)[None, :])",
            "mask=(cols < N)[None, :])",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "weights of an expert lie a row apart",
            "expert.to(tl.int64) * K * N",
            "expert.to(tl.int64) * N",
            r"wrong at \[",
        ),
        Variant(
            "every expert begins at the first row",
            "first + tl.program_id(0) * BM",
            "tl.program_id(0) * BM",
            r"wrong at \[",
        ),
        Variant(
            "an expert ends where it begins",
            "offsets_ptr + expert + 1",
            "offsets_ptr + expert",
            "output 0 was never written",
            Cause.UNWRITTEN,
            quick=True,
        ),
        Variant("the accumulator is lost", "tl.dot(x, w, acc)", "tl.dot(x, w)", r"wrong at \["),
        Variant(
            "the grid forgets the experts",
            "triton.cdiv(N, BN), E)]",
            "triton.cdiv(N, BN), 1)]",
            "never written",
            Cause.WRONG_VALUES,
            also=(Cause.UNWRITTEN,),
        ),
        Variant(
            "w is not masked along K",
            "mask=inside[:, None] & (cols < N)[None, :], other=0.0)",
            "mask=(cols < N)[None, :], other=0.0)",
            "load out of bounds.*of argument 'w_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "w is taken for transposed",
            "(k + depth).to(tl.int64)[:, None] * N + cols[None, :]",
            "cols.to(tl.int64)[None, :] * K + (k + depth)[:, None]",
            r"wrong at \[",
        ),
        Variant(
            "an expert leaves out its last row",
            "rows < end)[:, None] & (cols",
            "rows < end - 1)[:, None] & (cols",
            "output 0 was never written",
            Cause.UNWRITTEN,
        ),
        Variant("one tile of rows for every expert", "[(triton.cdiv(M, BM), ", "[(1, ", r"never written\?"),
    ),
}
