"""Attention and the selective scan: a mask, a rescaling or a table is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "flash_attention": (
        Variant("not scaled", "tl.dot(q, k) * scale", "tl.dot(q, k)", r"wrong at \[", quick=True),
        Variant("a query does not see its own key", "keys[None, :] <= rows", "keys[None, :] < rows", r"wrong at \["),
        Variant("the first query sees the first key", "rows[:, None] + L - S)", "rows[:, None])", r"wrong at \["),
        Variant("heads go round the key heads", "head // (H // KV)", "head % KV", r"wrong at \[0, 1, "),
        Variant("the result is not rescaled", "v, acc * fade[:, None])", "v, acc)", r"wrong at \["),
        Variant("the sum is not rescaled", "total * fade + ", "total + ", r"wrong at \["),
        Variant("not divided by the sum", "(acc / total[:, None])", "acc", r"wrong at \["),
        Variant(
            "padding is seen as keys of zeros",
            "seen = (keys < L)[None, :]",
            "seen = (keys >= 0)[None, :]",
            r"wrong at \[",
        ),
        Variant(
            "the walk ends before the diagonal", "min(L, start_m + BM + L - S)", "min(L, start_m + L - S)", "got nan,"
        ),
        Variant(
            "values are loaded without a mask",
            "lanes[None, :], mask=(keys < L)[:, None], other=0.0",
            "lanes[None, :]",
            "load out of bounds.*of argument 'v_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant("the maximum is not kept", "        top = higher\n", "", r"wrong at \["),
    ),
    "paged_attention": (
        Variant(
            "every sequence uses the first one's table",
            "sequence * W + start // BS",
            "start // BS",
            r"wrong at \[[1-9],",
        ),
        Variant(
            "heads lie outside of a block's tokens",
            "(block * BS + tokens) * KV + kv_head",
            "(block * KV + kv_head) * BS + tokens",
            r"wrong at \[",
        ),
        Variant(
            "tokens past the length count",
            'tl.where(inside[None, :], tl.dot(q, k) * scale, float("-inf"))',
            "tl.dot(q, k) * scale",
            r"wrong at \[",
        ),
        Variant("one token too many", "start + tokens < length", "start + tokens <= length", r"wrong at \["),
        Variant(
            "heads that share a key are taken to lie apart",
            "kv_head * share + heads[:, None]",
            "heads[:, None] * KV + kv_head",
            r"wrong at \[\d, [1-9]",
        ),
        Variant(
            "at most 16 heads share a key",
            "triton.cdiv(H // KV, GROUP)",
            "1",
            r"only one row in 17, from row 16 on, never written\?",
        ),
        Variant("not scaled", "tl.dot(q, k) * scale", "tl.dot(q, k)", r"wrong at \[", quick=True),
        Variant("the result is not rescaled", "v, acc * fade[:, None])", "v, acc)", r"wrong at \["),
        Variant(
            "every sequence is as long as its table",
            "length = tl.load(lengths_ptr + sequence)",
            "length = W * BS",
            r"wrong at \[",
        ),
        Variant(
            "a whole table for each block",
            "sequence * W + start // BS",
            "sequence * W + start",
            "load out of bounds.*of argument 'table_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "more heads than there are",
            "mask=(heads < share)[:, None])",
            "mask=(heads < GROUP)[:, None])",
            "store out of bounds.*of argument 'o_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
    ),
    "selective_scan": (
        Variant("the skip is left out", " + d * x\n", "\n", r"wrong at 0\[", quick=True),
        Variant("delta is left out of the input", "(delta * x)[:, None]", "x[:, None]", r"wrong at 0\["),
        Variant(
            "the exponential is left out",
            "tl.exp(delta[:, None] * a)",
            "(delta[:, None] * a)",
            r"wrong at 0\[0, 1, .*in 24 of 26 rows",
        ),
        Variant(
            "the sign of the decay",
            "tl.exp(delta[:, None] * a)",
            "tl.exp(-delta[:, None] * a)",
            r"wrong at 0\[0, 1, .*in 24 of 26 rows",
        ),
        Variant(
            "every sequence's state goes to the first",
            "state_ptr + sequence * E * S + tile",
            "state_ptr + tile",
            r"wrong at 1\[.*1040 of them never written",
        ),
        Variant("the batch is forgotten", "sequence * L + t", "t", r"only from row 13 of 26 on, never written\?"),
        Variant(
            "the state has the type of x",
            "dtype=torch.float32",
            "dtype=x.dtype",
            r"output 1 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
            quick=True,
        ),
        Variant(
            "B and C are exchanged", "delta, A, B, C, D, y, state, L", "delta, A, C, B, D, y, state, L", r"wrong at 1\["
        ),
        Variant(
            "the last step is left out",
            "range(L)",
            "range(L - 1)",
            "output 0 was never written",
            Cause.UNWRITTEN,
        ),
        Variant("the state is not carried", "* h + (delta", "* 0.0 + (delta", r"wrong at 0\[0, 1, .*in 24 of 26 rows"),
        Variant(
            "the state is kept in half precision",
            "b[None, :]\n",
            "b[None, :]\n        h = h.to(tl.bfloat16).to(tl.float32)\n",
            r"wrong at 0\[",
        ),
        Variant(
            "the channels have no mask",
            "mask=inside)\n    tl.store",
            "mask=channels >= 0)\n    tl.store",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
        ),
    ),
}
