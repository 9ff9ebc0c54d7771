"""Attention and the selective scan: a mask, a rescaling or a table is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "flash_attention": (
        Variant("not scaled", "tl.dot(q, k) * scale", "tl.dot(q, k)", "right if .*scale were 1", quick=True),
        Variant(
            "a query does not see its own key",
            "keys[None, :] <= rows",
            "keys[None, :] < rows",
            r"right if .*\(line \d+\) were one less far",
        ),
        Variant(
            "the first query sees the first key",
            "rows[:, None] + L - S)",
            "rows[:, None])",
            "right if .*all of v along L were the first",
        ),
        Variant(
            "heads go round the key heads", "head // (H // KV)", "head % KV", r"right if .*\(line \d+\) were repeat"
        ),
        Variant("the result is not rescaled", "v, acc * fade[:, None])", "v, acc)", r"wrong at \["),
        Variant(
            "the sum is not rescaled",
            "total * fade + ",
            "total + ",
            "everything is .* times what is expected: look at a scale",
        ),
        Variant(
            "not divided by the sum",
            "(acc / total[:, None])",
            "acc",
            r"right if .*\(line \d+\) were not divided by its sum",
        ),
        Variant(
            "padding is seen as keys of zeros",
            "seen = (keys < L)[None, :]",
            "seen = (keys >= 0)[None, :]",
            r"right if .*L went on to \d+ with 0",
        ),
        Variant(
            "the walk ends before the diagonal",
            "min(L, start_m + BM + L - S)",
            "min(L, start_m + L - S)",
            "NaN, computed where a number is expected",
        ),
        Variant(
            "values are loaded without a mask",
            "lanes[None, :], mask=(keys < L)[:, None], other=0.0",
            "lanes[None, :]",
            "load out of bounds.*of argument 'v_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the maximum is not kept", "        top = higher\n", "", r"right if .*of L only the last \d+ of \d+ counted"
        ),
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
            r"right if .*k_cache and v_cache lay in memory as \[P, KV, BS, D\]",
        ),
        Variant(
            "tokens past the length count",
            'tl.where(inside[None, :], tl.dot(q, k) * scale, float("-inf"))',
            "tl.dot(q, k) * scale",
            "off by a factor",
        ),
        Variant(
            "one token too many",
            "start + tokens < length",
            "start + tokens <= length",
            "right if .*lengths were larger by 1",
        ),
        Variant(
            "heads that share a key are taken to lie apart",
            "kv_head * share + heads[:, None]",
            "heads[:, None] * KV + kv_head",
            r"right if .*\(line \d+\) were repeat",
        ),
        Variant(
            "at most 16 heads share a key",
            "triton.cdiv(H // KV, GROUP)",
            "1",
            r"only one row in 17, from row 16 on, never written\?",
        ),
        Variant("not scaled", "tl.dot(q, k) * scale", "tl.dot(q, k)", "right if .*scale were 1", quick=True),
        Variant("the result is not rescaled", "v, acc * fade[:, None])", "v, acc)", r"wrong at \["),
        Variant(
            "every sequence is as long as its table",
            "length = tl.load(lengths_ptr + sequence)",
            "length = W * BS",
            r"right if .*\(line \d+\) were left out",
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
        Variant("the skip is left out", " + d * x\n", "\n", "right if .*D were 0", quick=True),
        Variant("delta is left out of the input", "(delta * x)[:, None]", "x[:, None]", "right if .*delta were 1"),
        Variant(
            "the exponential is left out",
            "tl.exp(delta[:, None] * a)",
            "(delta[:, None] * a)",
            r"right if .*\(line \d+\) were left out",
        ),
        Variant(
            "the sign of the decay",
            "tl.exp(delta[:, None] * a)",
            "tl.exp(-delta[:, None] * a)",
            r"right if .*\(line \d+\) were of the negative",
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
            "B and C are exchanged",
            "delta, A, B, C, D, y, state, L",
            "delta, A, C, B, D, y, state, L",
            "right if .*B and C were exchanged",
        ),
        Variant(
            "the last step is left out",
            "range(L)",
            "range(L - 1)",
            "output 0 was never written",
            Cause.UNWRITTEN,
        ),
        Variant(
            "the state is not carried",
            "* h + (delta",
            "* 0.0 + (delta",
            r"right if .*\(line \d+\) were its second operand alone",
        ),
        Variant(
            "the state is kept in half precision",
            "b[None, :]\n",
            "b[None, :]\n        h = h.to(tl.bfloat16).to(tl.float32)\n",
            r"right to \d digits: is something rounded|wrong at 0\[",
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
