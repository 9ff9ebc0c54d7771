"""Normalisations, forward and backward: a mean, an epsilon or a correction is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "rms_norm": (
        Variant(
            "the mean is over the block",
            "axis=0) / N + eps",
            "axis=0) / BLOCK + eps",
            "right if .*N went on to 32 with 0",
            quick=True,
        ),
        Variant(
            "epsilon outside of the root",
            "tl.sqrt(tl.sum(x * x, axis=0) / N + eps)",
            "(tl.sqrt(tl.sum(x * x, axis=0) / N) + eps)",
            r"right if .*\(line \d+\) were with what is added outside of the root",
        ),
        Variant("a constant for epsilon", "N + eps)", "N + 1e-6)", "right if .*eps were 0"),
        Variant(
            "the sum instead of the mean", "axis=0) / N + eps", "axis=0) + eps", r"right if .*\(line \d+\) were the sum"
        ),
        Variant("the weight is left out", "x * scale * weight", "x * scale", "right if .*weight were 1"),
        Variant(
            "the root is not inverted",
            "1.0 / tl.sqrt(",
            "tl.sqrt(",
            r"right if .*\(line \d+\) were (a quotient|the other root)",
        ),
        Variant(
            "one column too many",
            "cols < N",
            "cols <= N",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "squares in half precision",
            "x = tl.load(x_ptr + row + cols, mask=inside, other=0.0).to(tl.float32)",
            "x = tl.load(x_ptr + row + cols, mask=inside, other=0.0).to(tl.float16)",
            r"right to \d digits: is something rounded|everything is .* times what is expected",
        ),
        Variant(
            "rows are cut at 4096",
            "BLOCK = triton.next_power_of_2(N)",
            "BLOCK = min(triton.next_power_of_2(N), 4096)",
            r"never written\?",
        ),
        Variant(
            "padding counts as one",
            "x = tl.load(x_ptr + row + cols, mask=inside, other=0.0)",
            "x = tl.load(x_ptr + row + cols, mask=inside, other=1.0)",
            "everything is .* times what is expected: look at a scale|right if N went on to 32 with 1",
        ),
        Variant(
            "rows lie a block apart",
            "tl.int64) * N",
            "tl.int64) * BLOCK",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
    ),
    "add_rms_norm": (
        Variant(
            "the sum is not written back",
            "tl.store(residual_ptr + row + cols, x.to(residual_ptr.dtype.element_ty), mask=inside)",
            "pass",
            "what is wrong is residual as it was given",
            quick=True,
        ),
        Variant(
            "the mean is over the block",
            "axis=0) / N + eps",
            "axis=0) / BLOCK + eps",
            "right if .*N went on to 64 with 0",
        ),
        Variant(
            "epsilon outside of the root",
            "tl.sqrt(tl.sum(x * x, axis=0) / N + eps)",
            "(tl.sqrt(tl.sum(x * x, axis=0) / N) + eps)",
            r"right if .*\(line \d+\) were with what is added outside of the root",
        ),
        Variant(
            "the sum goes to x",
            "tl.store(residual_ptr + row + cols, x.to(residual_ptr",
            "tl.store(x_ptr + row + cols, x.to(residual_ptr",
            "it changed its input x, which it may not",
            Cause.CHANGED_INPUT,
            quick=True,
        ),
        Variant("the weight is left out", "x * scale * weight", "x * scale", "right if .*weight were 1"),
        Variant(
            "x is normalised without the residual",
            "    x += tl.load(residual_ptr + row + cols, mask=inside, other=0.0).to(tl.float32)\n"
            "    tl.store(residual_ptr + row + cols, x.to(",
            "    total = x + tl.load(residual_ptr + row + cols, mask=inside, other=0.0).to(tl.float32)\n"
            "    tl.store(residual_ptr + row + cols, total.to(",
            "right if .*residual were 0",
        ),
        Variant(
            "the weight is loaded without a mask",
            "weight_ptr + cols, mask=inside, other=0.0",
            "weight_ptr + cols",
            "load out of bounds.*of argument 'weight_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "rows are cut at 2048",
            "BLOCK = triton.next_power_of_2(N)",
            "BLOCK = min(triton.next_power_of_2(N), 2048)",
            r"never written\?",
        ),
        Variant(
            "the output is fp32",
            "torch.empty_like(x)",
            "torch.empty_like(x, dtype=torch.float32)",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
    ),
    "layer_norm": (
        Variant("padding is centred too", "tl.where(inside, x - mean, 0.0)", "x - mean", "off by a factor", quick=True),
        Variant(
            "E[x * x] - E[x] ** 2",
            "tl.sum(centred * centred, axis=0) / N",
            "tl.sum(x * x, axis=0) / N - mean * mean",
            "off by a factor",
        ),
        Variant(
            "the unbiased variance",
            "centred, axis=0) / N",
            "centred, axis=0) / (N - 1)",
            r"right if .*\(line \d+\) were by the unbiased variance",
        ),
        Variant(
            "epsilon outside of the root",
            "tl.sqrt(tl.sum(centred * centred, axis=0) / N + eps)",
            "(tl.sqrt(tl.sum(centred * centred, axis=0) / N) + eps)",
            r"right if .*\(line \d+\) were with eps outside of the root",
        ),
        Variant(
            "the mean is over the block",
            "mean = tl.sum(x, axis=0) / N",
            "mean = tl.sum(x, axis=0) / BLOCK",
            "but for weight and bias it is off by a factor",
        ),
        Variant(
            "the weight is added",
            "y *= tl.load",
            "y += tl.load",
            r"right if .*\(line \d+\) were with the weight added, not multiplied",
        ),
        Variant(
            "weight and bias are exchanged",
            "](x, weight, bias, y,",
            "](x, bias, weight, y,",
            "right if .*weight and bias were exchanged",
        ),
        Variant(
            "a bias that is None is read",
            "if bias_ptr is not None:",
            "if weight_ptr is not None:",
            r"'NoneType'[\s\S]*tl\.load\(bias_ptr",
            Cause.COMPILE_ERROR,
        ),
        Variant(
            "rows are cut at 4096",
            "BLOCK = triton.next_power_of_2(N)",
            "BLOCK = min(triton.next_power_of_2(N), 4096)",
            r"never written\?",
        ),
        Variant(
            "the weight is loaded without a mask",
            "weight_ptr + cols, mask=inside, other=0.0",
            "weight_ptr + cols",
            "load out of bounds.*of argument 'weight_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
    ),
    "group_norm": (
        Variant(
            "the unbiased variance",
            "/ size + eps",
            "/ (size - 1) + eps",
            r"right if .*\(line \d+\) were by the unbiased variance",
        ),
        Variant(
            "epsilon outside of the root",
            "tl.sqrt(tl.sum(total, axis=0) / size + eps)",
            "(tl.sqrt(tl.sum(total, axis=0) / size) + eps)",
            r"right if .*\(line \d+\) were with eps outside of the root",
        ),
        Variant(
            "channels are counted through the batch",
            "pid % G * width",
            "pid * width",
            "load out of bounds.*of argument 'weight_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the group's first channel is forgotten",
            "weight_ptr + channel + index // area",
            "weight_ptr + index // area",
            "off by a factor and an amount",
        ),
        Variant(
            "padding is centred too",
            "tl.where(inside, away * away, 0.0)",
            "away * away",
            "off by a factor and an amount",
        ),
        Variant(
            "the mean stays in",
            "(x - mean) * scale",
            "x * scale",
            r"right if .*\(line \d+\) were without taking off the mean",
            quick=True,
        ),
        Variant(
            "the sum is not cleared",
            "total = tl.zeros((BLOCK,), tl.float32)\n    for start in range(0, size, BLOCK):\n        inside",
            "for start in range(0, size, BLOCK):\n        inside",
            "off by a factor and an amount",
        ),
        Variant(
            "the area of a channel is its width", "C // G, H * W, eps", "C // G, W, eps", "60 of them never written"
        ),
        Variant(
            "the store has no mask",
            "element_ty), mask=inside)",
            "element_ty))",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant("the grid forgets the groups", "[(N * G,)]", "[(N,)]", r"only from row 9 of 18 on, never written\?"),
    ),
    "layer_norm_backward": (
        Variant(
            "the bias's gradient for the weight's",
            "dweight += dy * h",
            "dweight += dy",
            "it is what output dbias must be",
        ),
        Variant(
            "the weight enters its own gradient",
            "dweight += dy * h",
            "dweight += g * h",
            "everything is multiplied by weight once too often",
        ),
        Variant(
            "the mean of g is left out",
            "g - tl.sum(g, axis=0) / N - h",
            "g - h",
            r"right if .*\(line \d+\) were its first operand alone",
            quick=True,
        ),
        Variant(
            "the projection on h is left out",
            " - h * (tl.sum(g * h, axis=0) / N))",
            ")",
            r"right if .*\(line \d+\) were its (first|second) operand alone",
        ),
        Variant(
            "the bias's part overwrites the weight's",
            "part + N + cols",
            "part + cols",
            "it is what output dbias must be",
            quick=True,
        ),
        Variant(
            "every program walks over all rows",
            "range(tl.program_id(0), M, tl.num_programs(0))",
            "range(0, M)",
            "everything is 3 times what is expected, which is M here",
        ),
        Variant(
            "only the first parts are added",
            "range(0, parts, BLOCK_M)",
            "range(0, BLOCK_M, BLOCK_M)",
            "right if .*of each 256 along M only the first 32 counted",
        ),
        Variant(
            "a program keeps only its last row",
            "dweight += dy * h",
            "dweight = dy * h",
            "right if .*of M only the last 256 of 300 counted",
        ),
        Variant(
            "the outputs are exchanged",
            '"dweight": dweight, "dbias": dbias',
            '"dweight": dbias, "dbias": dweight',
            "it is what output dbias must be",
        ),
        Variant(
            "the gradient of the weight in half precision",
            "dweight = torch.empty((N,), dtype=torch.float32",
            "dweight = torch.empty((N,), dtype=x.dtype",
            r"output dweight is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant(
            "one program too few in the second kernel",
            "triton.cdiv(N, 64)",
            "(N // 64)",
            "output dweight was never written",
            Cause.UNWRITTEN,
        ),
    ),
    "rms_norm_grad": (
        Variant("no epsilon", "N + eps)", "N)", "right if .*eps were 0"),
        Variant(
            "a factor of the scale is missing",
            "x * scale * scale *",
            "x * scale *",
            "off by a multiple of x:",
            quick=True,
        ),
        Variant(
            "the sum of g * x instead of its mean",
            "(tl.sum(g * x, axis=0) / N)",
            "tl.sum(g * x, axis=0)",
            "off by a multiple of x:",
        ),
        Variant(
            "dy is taken for contiguous", "*dy.stride()", "N, 1", "right if .*the gradient of output 0 were contiguous"
        ),
        Variant(
            "the weight's gradient is not scaled",
            "part += dy * x * scale",
            "part += dy * x",
            r"right if .*\(line \d+\) were its first operand alone",
        ),
        Variant(
            "no gradient for the weight",
            "return dx, dweight, None",
            "return dx, None, None",
            "no gradient reached weight",
            Cause.NO_GRADIENT,
            quick=True,
        ),
        Variant(
            "a program keeps only its last row",
            "part += dy * x",
            "part = dy * x",
            "right if .*of M only the last 256 of 300 counted",
        ),
        Variant(
            "only the first parts are added",
            "range(0, parts, BLOCK_M)",
            "range(0, BLOCK_M, BLOCK_M)",
            "right if .*of each 256 along M only the first 32 counted",
        ),
        Variant(
            "all parts go to the first",
            "part_ptr + tl.program_id(0) * N",
            "part_ptr",
            r"output grad\.weight was never written",
            Cause.UNWRITTEN,
        ),
        Variant(
            "the gradients are exchanged",
            "return dx, dweight, None",
            "return dweight, dx, None",
            "Function _RMSNormBackward returned an invalid gradient at index 0",
            Cause.RAISED,
        ),
    ),
}
