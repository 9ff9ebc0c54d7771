"""Products with more to them than a product: a layer, scales by block, a convolution."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "gated_mlp": (
        Variant(
            "gate and up are exchanged",
            "gate / (1.0 + tl.exp(-gate)) * up",
            "up / (1.0 + tl.exp(-up)) * gate",
            r"right if .*gate\.weight and up\.weight were exchanged",
            quick=True,
        ),
        Variant(
            "the activation is left out",
            "gate / (1.0 + tl.exp(-gate)) * up",
            "gate * up",
            r"right if .*\(line \d+\) were left out",
        ),
        Variant(
            "an accumulator is lost",
            "gate = tl.dot(x, tl.load(gate_ptr + w_tile, mask=w_mask, other=0.0), gate)",
            "gate = tl.dot(x, tl.load(gate_ptr + w_tile, mask=w_mask, other=0.0))",
            r"right if .*of axis 1 of gate\.weight only the last 8 of 136 counted",
        ),
        Variant(
            "the hidden layer is fp32",
            "h = torch.empty((M, F), dtype=x.dtype",
            "h = torch.empty((M, F), dtype=torch.float32",
            r"Both operands must be same dtype\. Got fp32 and bf16",
            Cause.COMPILE_ERROR,
        ),
        Variant(
            "no mask along K",
            "(k < D)[:, None] & (cols < F)[None, :]",
            "(cols < F)[None, :]",
            "load out of bounds.*of argument 'gate_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "down has a bias",
            "self.down = torch.nn.Linear(hidden, dim, bias=False,",
            "self.down = torch.nn.Linear(hidden, dim, bias=True,",
            r"its parameters must have the reference's names: extra down\.bias",
            Cause.WRONG_STATE,
            quick=True,
        ),
        Variant(
            "up keeps its weights in fp32",
            "self.up = torch.nn.Linear(dim, hidden, bias=False, dtype=torch.bfloat16)",
            "self.up = torch.nn.Linear(dim, hidden, bias=False)",
            r"up\.weight is \(24, 16\) of torch\.float32; it must be \(24, 16\) of torch\.bfloat16",
            Cause.WRONG_STATE,
        ),
        Variant(
            "down is not transposed",
            "cols[None, :] * K + k[:, None]",
            "k[:, None] * N + cols[None, :]",
            r"right if .*down\.weight lay in memory as \[axis 1, axis 0\]",
        ),
        Variant(
            "the second grid has the first one's width",
            "(rows, triton.cdiv(D, BN))",
            "(rows, triton.cdiv(F, BN))",
            r"only from column 64 of 136 on, never written\?",
        ),
        Variant(
            "down's sizes are exchanged",
            "self.down = torch.nn.Linear(hidden, dim,",
            "self.down = torch.nn.Linear(dim, hidden,",
            r"down\.weight is \(24, 16\) of torch\.bfloat16; it must be \(16, 24\) of torch\.bfloat16",
            Cause.WRONG_STATE,
        ),
    ),
    "fp8_block_matmul": (
        Variant(
            "the scale of a is left out",
            "(a_scale * w_scale)[:, None]",
            "w_scale",
            "right if .*a_scale were 1",
            quick=True,
        ),
        Variant(
            "a block of w is a tile",
            "tl.program_id(1) * BN // BLOCK * blocks",
            "tl.program_id(1) * blocks",
            "load out of bounds.*of argument 'w_scale_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the accumulator is lost",
            "acc += tl.dot(a, w)",
            "acc = tl.dot(a, w)",
            "right if .*of K only the last 128 of 256 counted",
        ),
        Variant(
            "the first block's scale for all",
            "a_scale_row + block",
            "a_scale_row",
            "right if .*all of a_scale along K // 128 were the first",
        ),
        Variant(
            "every step reads the first block",
            "block * BLOCK + depth",
            "depth",
            "right if .*each tile of 128 of K were the first",
        ),
        Variant(
            "the scale goes to the operand",
            "tl.dot(a, w) * (a_scale * w_scale)[:, None]",
            "tl.dot((a.to(tl.float32) * a_scale[:, None]).to(a.dtype), w) * w_scale",
            r"wrong at \[",
        ),
        Variant(
            "w is not transposed",
            "cols[None, :] * K + k[:, None]",
            "k[:, None] * N + cols[None, :]",
            r"right if .*w lay in memory as \[K, N\]",
        ),
        Variant(
            "the store forgets the columns",
            "mask=(rows < M)[:, None] & (cols < N)[None, :])",
            "mask=(rows < M)[:, None])",
            "store out of bounds.*of argument 'c_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the scales of a lie M apart",
            "a_scale_ptr + rows * blocks",
            "a_scale_ptr + rows",
            "only from row 1 of 70 on",
        ),
        Variant(
            "the scale of a goes by column",
            "(a_scale * w_scale)[:, None]",
            "(a_scale * w_scale)[None, :]",
            r"wrong at \[",
        ),
    ),
    "conv2d": (
        Variant(
            "no padding on the left", "left = pixel % OW * stride - pad", "left = pixel % OW * stride", r"wrong at \["
        ),
        Variant(
            "height and width are exchanged",
            "* H + i) * W + j",
            "* W + i) * H + j",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "no mask at the sides",
            " & (j >= 0) & (j < W)",
            "",
            "load out of bounds.* at element -.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant("the filter's sides are exchanged", "k // S % R, k % S", "k // R % S, k % R", r"wrong at \["),
        Variant(
            "the stride is left out",
            "top = pixel // OW % OH * stride - pad",
            "top = pixel // OW % OH - pad",
            r"wrong at \[0, 0, 1, ",
        ),
        Variant(
            "channels last",
            "(image[:, None] * O + filters[None, :]) * OH * OW + (pixel % (OH * OW))[:, None]",
            "pixel[:, None] * O + filters[None, :]",
            "its axes lie in memory in the order 0, 2, 3, 1",
        ),
        Variant("the bias is left out", "bias_ptr is not None", "False", "right if .*bias were 0"),
        Variant(
            "the store forgets the filters",
            "[:, None] & (filters < O)[None, :])\n\n",
            "[:, None])\n\n",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the height of the result",
            "(H + 2 * pad - R) // stride + 1",
            "(H + 2 * pad - R + 1) // stride",
            r"output 0 has shape \(2, 38, 4, 6\); \(2, 38, 5, 6\) is expected",
            Cause.WRONG_SHAPE,
            quick=True,
        ),
        Variant("only the first block of filters", "triton.cdiv(O, BN))", "1)", r"never written\?"),
        Variant(
            "the image is forgotten", "(image[:, None] * C + c[None, :])", "c[None, :]", "only from row 190 of 380 on"
        ),
    ),
}
