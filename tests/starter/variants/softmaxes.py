"""Softmax and the losses made of it: a maximum, a rescaling or a padding value is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "softmax": (
        Variant(
            "no maximum is taken off",
            "higher = tl.maximum(high, x)",
            "higher = tl.zeros_like(x)",
            "NaN, computed where a number is expected",
            quick=True,
        ),
        Variant(
            "padding is zero",
            'mask=start + cols < N, other=float("-inf")',
            "mask=start + cols < N, other=0.0",
            "right if .*N went on to 256 with 0",
        ),
        Variant(
            "the maximum starts at zero",
            'tl.full((BLOCK,), float("-inf"), tl.float32)',
            "tl.zeros((BLOCK,), tl.float32)",
            "NaN, computed where a number is expected",
        ),
        Variant(
            "the sum is not rescaled",
            "total * tl.exp(high - anchor) + ",
            "total + ",
            "off by a factor",
        ),
        Variant(
            "lanes are not brought to one maximum",
            "tl.sum(total * tl.exp(high - top), axis=0)",
            "tl.sum(total, axis=0)",
            "everything is .* times what is expected: look at a scale|off by a factor",
        ),
        Variant(
            "the sum is that of the last block",
            "total = total * tl.exp(high - anchor) + tl.exp(x - anchor)",
            "total = tl.exp(x - anchor)",
            "off by a factor",
        ),
        Variant(
            "the second pass writes one block",
            "    for start in range(0, N, BLOCK):\n        inside",
            "    for start in range(0, BLOCK, BLOCK):\n        inside",
            r"only from column 2048 of 4099 on, never written\?",
        ),
        Variant(
            "not divided by the sum",
            "tl.exp(x - top) * scale",
            "tl.exp(x - top)",
            r"right if .*\(line \d+\) were not divided by its sum",
        ),
        Variant(
            "the mask forgets where a block starts",
            "inside = start + cols < N",
            "inside = cols < N",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the store has no mask",
            "element_ty), mask=inside)",
            "element_ty))",
            "store out of bounds.*of argument 'y_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
    ),
    "masked_softmax": (
        Variant(
            "the mask is not shared by the heads",
            "mask_row = row // (H * Q) * Q + row % Q",
            "mask_row = row",
            "load out of bounds.*of argument 'mask_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the batch is forgotten in the mask",
            "row // (H * Q) * Q + row % Q",
            "row % Q",
            "right if .*all of mask along B were the first",
        ),
        Variant(
            "a row without keys divides by zero",
            "e / tl.where(total == 0.0, 1.0, total)",
            "e / total",
            r"right if .*\(line \d+\) were left out|wrong just where 0 is expected",
        ),
        Variant("not scaled", ".to(tl.float32) * scale", ".to(tl.float32)", "right if .*scale were 1"),
        Variant(
            "the mask is inverted",
            "other=0) != 0",
            "other=0) == 0",
            "load out of bounds.*of argument 'scores_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "hidden keys are not written", "element_ty), mask=cols < K)", "element_ty), mask=kept)", r"never written\?"
        ),
        Variant(
            "no maximum is taken off", 'tl.where(top == float("-inf"), 0.0, top)', "0.0", "everything is 0:", quick=True
        ),
        Variant(
            "hidden keys count",
            "tl.load(mask_ptr + mask_row * K + cols, mask=cols < K, other=0) != 0",
            "cols < K",
            "right if .*mask were 1",
        ),
        Variant("the minimum is taken off", "tl.max(x, axis=0)", "tl.min(x, axis=0)", "everything is 0:"),
        Variant(
            "the load of the mask is unmasked",
            " + cols, mask=cols < K, other=0)",
            " + cols)",
            "load out of bounds.*of argument 'mask_ptr'",
            OUT_OF_BOUNDS,
        ),
    ),
    "log_softmax": (
        Variant(
            "no maximum is taken off",
            "    x -= tl.max(x, axis=0)\n",
            "",
            "infinity where a number is expected",
            quick=True,
        ),
        Variant(
            "padding is zero",
            'other=float("-inf")).to(tl.float32)\n    x -=',
            "other=0.0).to(tl.float32)\n    x -=",
            "right if .*N went on to 256 with 0",
        ),
        Variant(
            "the logarithm is left out",
            "x - tl.log(tl.sum(tl.exp(x), axis=0))",
            "x - tl.sum(tl.exp(x), axis=0)",
            "it is off by an amount",
        ),
        Variant(
            "the gradient uses dy instead of its sum",
            "tl.sum(e, axis=0) * tl.sum(dy, axis=0)",
            "tl.sum(e, axis=0) * dy",
            r"wrong at grad\.x\[",
        ),
        Variant(
            "dy is taken for contiguous", "*dy.stride()", "N, 1", "right if .*the gradient of output 0 were contiguous"
        ),
        Variant("the sign in the gradient", "dy - e /", "dy + e /", r"off by a multiple of exp\(x\):"),
        Variant(
            "the exponentials are not normalised", "e / tl.sum(e, axis=0) * ", "e * ", r"off by a multiple of exp\(x\):"
        ),
        Variant(
            "not differentiable",
            "_LogSoftmax.apply(x)",
            "_LogSoftmax.apply(x.detach())",
            r"its output carries no gradient; wrap the kernels in a torch\.autograd\.Function",
            Cause.NO_GRADIENT,
            quick=True,
        ),
        Variant(
            "padding of the gradient is zero",
            'other=float("-inf")).to(tl.float32)\n    e =',
            "other=0.0).to(tl.float32)\n    e =",
            r"the gradient of output 0 as it was given|right if .*\(line \d+\) were left out",
        ),
        Variant(
            "no gradient is returned",
            "        return dx",
            "        return None",
            "no gradient reached x",
            Cause.NO_GRADIENT,
        ),
    ),
    "cross_entropy": (
        Variant(
            "no maximum is taken off",
            "higher = tl.maximum(high, x)",
            "higher = tl.zeros_like(x)",
            r"\-infinity where a number is expected",
            quick=True,
        ),
        Variant("the sum is not rescaled", "total * tl.exp(high - anchor) + ", "total + ", r"wrong at \["),
        Variant(
            "ignored rows count",
            "tl.where(ignored, 0.0, log_sum - chosen)",
            "log_sum - chosen",
            "wrong just where 0 is expected",
        ),
        Variant(
            "the target -100 is read",
            "tl.where(ignored, 0, target)",
            "target",
            "load out of bounds.* at element -.*of argument 'logits_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant("padding is zero", 'other=float("-inf")', "other=0.0", "right if .*V went on to 128 with 0"),
        Variant(
            "the mask forgets where a block starts",
            "mask = start + cols < V",
            "mask = cols < V",
            "load out of bounds.*of argument 'logits_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "the loss has the type of the logits",
            "dtype=torch.float32",
            "dtype=logits.dtype",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant("the sign", "log_sum - chosen", "chosen - log_sum", "everything has the other sign"),
        Variant(
            "the maximum is not added back",
            "top + tl.log(",
            "tl.log(",
            "too little by the largest of each row of logits",
        ),
        Variant(
            "the target of the first row for all",
            "target_ptr + row",
            "target_ptr",
            "right if .*all of target along M were the first",
        ),
    ),
    "kl_divergence": (
        Variant(
            "student and teacher are exchanged",
            "](student, teacher,",
            "](teacher, student,",
            "right if .*student and teacher were exchanged",
            quick=True,
        ),
        Variant(
            "the maxima are not divided by the temperature",
            "(between / t_sum - (t_top - s_top)) / temperature",
            "(between / t_sum / temperature - (t_top - s_top))",
            r"wrong at \[",
        ),
        Variant("the weighted sum is not rescaled", "between * fade + ", "between + ", r"wrong at \["),
        Variant(
            "times the square of the temperature",
            "tl.program_id(0), loss)",
            "tl.program_id(0), loss * temperature * temperature)",
            r"everything is 2\.25 times what is expected, which is \(temperature \* temperature\) here",
        ),
        Variant(
            "padding of the student is zero",
            's = tl.load(student_ptr + row + start + cols, mask=inside, other=float("-inf"))',
            "s = tl.load(student_ptr + row + start + cols, mask=inside, other=0.0)",
            r"wrong at \[",
        ),
        Variant(
            "padding is infinity less infinity",
            "tl.where(inside, weights * (t - s), 0.0)",
            "weights * (t - s)",
            "NaN, computed where a number is expected",
            quick=True,
        ),
        Variant(
            "the student's sum is not rescaled",
            "s_sum * tl.exp((s_top - s_high) / temperature)",
            "s_sum",
            r"wrong at \[",
        ),
        Variant(
            "the logarithms are exchanged",
            "tl.log(t_sum) - tl.log(s_sum)",
            "tl.log(s_sum) - tl.log(t_sum)",
            r"wrong at \[",
        ),
        Variant(
            "the temperature is left out of the weights",
            "tl.exp((t - t_high) / temperature)",
            "tl.exp(t - t_high)",
            r"wrong at \[",
        ),
        Variant(
            "the loss has the type of the logits",
            "dtype=torch.float32",
            "dtype=student.dtype",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
    ),
}
