"""Kernels that map elements: a mask, an offset or a formula is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "add_clamp": (
        Variant(
            "the store has no mask",
            "element_ty), mask=inside)",
            "element_ty))",
            "store out of bounds.*of argument 'out_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the mask lets one column too many through",
            "cols < N\n",
            "cols <= N\n",
            "load out of bounds.*of argument 'a_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "batch and row are exchanged",
            "row // M * N",
            "row % M * N",
            "load out of bounds.*of argument 'a_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "no upper limit", "tl.minimum(tl.maximum(a + b, low), high)", "tl.maximum(a + b, low)", r"expected 1\.75;"
        ),
        Variant(
            "one term is clamped instead of the sum",
            "tl.minimum(tl.maximum(a + b, low), high)",
            "tl.minimum(tl.maximum(a, low), high) + b",
            r"right if .*\(line \d+\) were of the first term of its sum alone",
        ),
        Variant("the grid forgets the batch", "[(B * M, ", "[(M, ", r"only from row 3 of 15 on, never written\?"),
        Variant(
            "only the first block of columns",
            "triton.cdiv(N, BLOCK))](",
            "1)](",
            r"only from column 1024 of 1031 on, never written\?",
        ),
        Variant(
            "the grid is rounded down",
            "triton.cdiv(N, BLOCK))](",
            "N // BLOCK)](",
            "output out was never written",
            Cause.UNWRITTEN,
        ),
        Variant(
            "writes to a copy of out",
            "](a, b, out, ",
            "](a, b, out.clone(), ",
            "output out was never written",
            Cause.UNWRITTEN,
            quick=True,
        ),
    ),
    "gelu_bias": (
        Variant(
            "the tanh form instead of erf",
            "0.5 * z * (1.0 + tl.erf(z * 0.7071067811865476))",
            "z * tl.sigmoid(1.5957691216057308 * (z + 0.044715 * z * z * z))",
            r"right if .*\(line \d+\) were the other gelu",
        ),
        Variant("the bias goes by row", "index % N", "index // N", r"wrong at \["),
        Variant("erf of z, not of z / sqrt(2)", "z * 0.7071067811865476", "z", r"wrong at \["),
        Variant("the half is forgotten", "0.5 * z", "z", r"wrong at \["),
        Variant(
            "the store has no mask",
            "element_ty), mask=inside)",
            "element_ty))",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the number of rows for that of columns",
            "x.shape[1], BLOCK",
            "x.shape[0], BLOCK",
            r"wrong at \[",
        ),
        Variant(
            "works in place",
            "torch.empty_like(x)",
            "x",
            "it changed its input x, which it may not",
            Cause.CHANGED_INPUT,
            quick=True,
        ),
        Variant(
            "the grid is rounded down",
            "triton.cdiv(x.numel(), BLOCK)",
            "x.numel() // BLOCK",
            "output 0 was never written",
            Cause.UNWRITTEN,
        ),
        Variant(
            "the bias is left out",
            "z += tl.load(bias_ptr + index % N, mask=inside, other=0.0).to(tl.float32)",
            "pass",
            r"wrong at \[",
        ),
    ),
    "silu_and_mul": (
        Variant(
            "the halves are exchanged",
            "gate / (1.0 + tl.exp(-gate)) * up",
            "up / (1.0 + tl.exp(-up)) * gate",
            "right if .*the halves of x were exchanged",
        ),
        Variant(
            "the halves are taken for interleaved", "row * 2 * N + N + cols", "row * 2 * N + cols + 1", r"wrong at \["
        ),
        Variant(
            "the stride of a row is half of what it is",
            "x_ptr + row * 2 * N + cols",
            "x_ptr + row * N + cols",
            r"wrong at \[1, .*in 2 of 3 rows",
        ),
        Variant("a sigmoid instead of SiLU", "gate / (1.0", "1.0 / (1.0", r"right if .*\(line \d+\) were sigmoid"),
        Variant(
            "the sign of the exponent", "tl.exp(-gate)", "tl.exp(gate)", "right if .*x had the other sign", quick=True
        ),
        Variant(
            "the result has both halves",
            "x.shape[1] // 2",
            "x.shape[1]",
            r"output 0 has shape \(1, 10\); \(1, 5\) is expected",
            Cause.WRONG_SHAPE,
            quick=True,
        ),
        Variant(
            "only the first block of columns",
            "triton.cdiv(N, BLOCK))](",
            "1)](",
            r"only from column 1024 of 2049 on, never written\?",
        ),
        Variant(
            "the store has no mask",
            "element_ty), mask=inside)",
            "element_ty))",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
        ),
    ),
    "causal_conv1d": (
        Variant(
            "the filter is turned round", "t - (K - 1) + k", "t - k", "right if .*weight along K were turned round"
        ),
        Variant(
            "the window is centred, not causal",
            "t - (K - 1) + k",
            "t - K // 2 + k",
            "right if .*weight along K were shifted by one",
        ),
        Variant(
            "the load reaches before the beginning",
            "(source >= 0) & (source < L)",
            "source < L",
            "load out of bounds.* at element -.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the batch instead of the channel",
            "row % D",
            "row // D",
            "right if .*all of weight and bias along D were the first",
        ),
        Variant(
            "the bias is left out",
            "acc += tl.load(bias_ptr + channel).to(tl.float32)",
            "pass",
            "right if .*bias were 0",
        ),
        Variant("SiLU is always applied", "if SILU:", "if True:", "right if .*silu were True"),
        Variant(
            "the store has no mask",
            "element_ty), mask=t < L)",
            "element_ty))",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "a sigmoid instead of SiLU",
            "acc / (1.0 + tl.exp(-acc))",
            "1.0 / (1.0 + tl.exp(-acc))",
            r"right if .*\(line \d+\) were sigmoid",
            quick=True,
        ),
        Variant(
            "only the first block",
            "(N * D, triton.cdiv(L, BLOCK))",
            "(N * D, 1)",
            r"only from column 512 of 1029 on, never written\?",
        ),
        Variant(
            "a tap is left out",
            "tl.static_range(K)",
            "tl.static_range(K - 1)",
            "right if (x were 0|.*of K only the first 3 of 4 counted)",
        ),
    ),
}
