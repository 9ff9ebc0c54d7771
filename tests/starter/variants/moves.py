"""Kernels that move elements: a place, a stride or a table is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "embedding": (
        Variant(
            "a row of the table is taken for one element", "token * D", "token", "right if .*table had stride 1 along V"
        ),
        Variant(
            "the place instead of the token",
            "table_ptr + token * D",
            "table_ptr + place * D",
            "load out of bounds.*of argument 'table_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "only the first block of columns",
            "triton.cdiv(D, BLOCK))](",
            "1)](",
            r"only from column 1024 of 1100 on, never written\?",
        ),
        Variant(
            "the result is fp32",
            "dtype=table.dtype",
            "dtype=torch.float32",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
            quick=True,
        ),
        Variant(
            "rows and columns of the result are exchanged",
            "torch.empty((M, D)",
            "torch.empty((D, M)",
            r"output 0 has shape \(3, 5\); \(5, 3\) is expected",
            Cause.WRONG_SHAPE,
        ),
        Variant(
            "the load has no mask",
            "token * D + cols, mask=cols < D, other=0.0",
            "token * D + cols",
            "load out of bounds.*of argument 'table_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the store has no mask",
            "row, mask=cols < D)",
            "row)",
            "store out of bounds.*of argument 'out_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "blocks overlap",
            "tl.program_id(1) * BLOCK",
            "tl.program_id(1)",
            r"only from column 1025 of 1100 on, never written\?",
        ),
        Variant(
            "tokens are read as bytes apart",
            "tokens_ptr + place",
            "tokens_ptr + place * 8",
            "load out of bounds.*of argument 'tokens_ptr'",
            OUT_OF_BOUNDS,
        ),
    ),
    "transpose": (
        Variant(
            "x is taken for contiguous",
            "*x.stride()",
            "M * N, N, 1",
            "right if .*x were contiguous",
        ),
        Variant(
            "the load has no mask",
            ", mask=inside)",
            ")",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the tile is not turned",
            "tl.trans(x), mask=(cols < N)[:, None] & (rows < M)[None, :]",
            "x, mask=inside",
            "1 of them never written",
        ),
        Variant(
            "the stride of the result",
            "cols[:, None]) * M",
            "cols[:, None]) * N",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "every batch is written over the first",
            "(batch * N + cols[:, None])",
            "cols[:, None]",
            "2046 of them never written",
        ),
        Variant(
            "the mask of the store is not turned",
            "(cols < N)[:, None] & (rows < M)[None, :]",
            "inside",
            "only in row 2, 1 of them never written",
        ),
        Variant(
            "a view instead of a copy",
            "    return y",
            "    return x.mT",
            "its kernels do no work",
            Cause.NO_KERNEL,
            quick=True,
        ),
        Variant(
            "torch copies",
            "    return y",
            "    return x.mT.contiguous()",
            "its kernels do no work",
            Cause.NO_KERNEL,
        ),
        Variant(
            "the result is not turned",
            "torch.empty((B, N, M)",
            "torch.empty((B, M, N)",
            r"output 0 has shape \(1, 2, 3\); \(1, 3, 2\) is expected",
            Cause.WRONG_SHAPE,
            quick=True,
        ),
        Variant(
            "the grid's axes are exchanged",
            "triton.cdiv(M, BLOCK), triton.cdiv(N, BLOCK)",
            "triton.cdiv(N, BLOCK), triton.cdiv(M, BLOCK)",
            r"only from column 32 of 33 on, never written\?",
        ),
    ),
    "rope": (
        Variant(
            "the sign of the sine",
            "a * cos - b * sin",
            "a * cos + b * sin",
            r"right if .*\(line \d+\) were a sum",
            quick=True,
        ),
        Variant(
            "the sine meets the wrong half", "b * cos + a * sin", "b * cos + b * sin", "only from column 16 of 32 on"
        ),
        Variant(
            "the token instead of its position",
            "cos_ptr + position * half",
            "cos_ptr + token * half",
            "right if .*(cos|sin) along P were the first",
        ),
        Variant(
            "no mask past half of the head",
            "(heads < H)[:, None] & (lanes < half)[None, :]",
            "(heads < H)[:, None]",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "no mask past the last head",
            "(heads < H)[:, None] & (lanes < half)[None, :]",
            "(lanes < half)[None, :]",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "only the first block of heads",
            "range(0, H, BLOCK_H)",
            "range(0, BLOCK_H, BLOCK_H)",
            "what is wrong is x as it was given",
        ),
        Variant(
            "sine and cosine are exchanged",
            "](x, cos, sin, ",
            "](x, sin, cos, ",
            "right if .*cos and sin were exchanged",
        ),
        Variant("rotates a copy", "](x, cos,", "](x.clone(), cos,", "what is wrong is x as it was given", quick=True),
        Variant("tokens lie a head apart", "token * H * D", "token * D", "only from row 1 of 38 on"),
        Variant(
            "the second half is of the rotated first",
            "tl.store(first + half, (b * cos + a * sin)",
            "a = tl.load(first, mask=inside, other=0.0).to(tl.float32)\n"
            "        tl.store(first + half, (b * cos + a * sin)",
            "only from column 16 of 32 on",
        ),
    ),
    "kv_cache_write": (
        Variant(
            "slots of -1 are not left out",
            "(cols < width) & (slot >= 0)",
            "cols < width",
            "store out of bounds.* at element -.*of argument 'k_cache_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "keys go to both caches", "cols, value, mask", "cols, key, mask", "right if .*key and value were exchanged"
        ),
        Variant(
            "the token instead of its slot",
            "k_cache_ptr + slot * width",
            "k_cache_ptr + token * width",
            "right if .*slots counted up from 0",
        ),
        Variant(
            "the stride of a token is a block",
            "key_ptr + token * width",
            "key_ptr + token * BLOCK",
            "load out of bounds.*of argument 'key_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the values are not stored",
            "tl.store(v_cache_ptr + slot * width + cols, value, mask=inside)",
            "pass",
            "what is wrong is v_cache as it was given",
        ),
        Variant(
            "one column too many",
            "(cols < width)",
            "(cols <= width)",
            "load out of bounds.*of argument 'key_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant("the width of one head", "slots, H * D, BLOCK", "slots, D, BLOCK", r"wrong at changed\.k_cache\["),
        Variant(
            "only the first block of columns", "triton.cdiv(H * D, BLOCK))\n", "1)\n", "only from column 64 of 120 on"
        ),
        Variant(
            "the keys are written to where they come from",
            "tl.store(k_cache_ptr + slot * width + cols, key,",
            "tl.store(key_ptr + token * width + cols, key + 1,",
            "it changed its input key, which it may not",
            Cause.CHANGED_INPUT,
            quick=True,
        ),
    ),
}
