"""Quantisation: a scale, a rounding or a packing is wrong."""

from geak_evaluator.schema.verdict import Cause
from tests.starter.variants.variant import Variant

OUT_OF_BOUNDS = Cause.OUT_OF_BOUNDS

VARIANTS = {
    "fp8_quantize": (
        Variant(
            "a group of zeros divides by zero",
            "tl.maximum(tl.max(tl.abs(x), axis=1) / top, 1e-10)",
            "tl.max(tl.abs(x), axis=1) / top",
            "only in row 2.*wrong just where 0 is expected",
        ),
        Variant(
            "the largest, not the largest magnitude",
            "tl.max(tl.abs(x), axis=1)",
            "tl.max(x, axis=1)",
            r"right if .*\(line \d+\) were left out",
        ),
        Variant(
            "the wrong axis",
            "tl.max(tl.abs(x), axis=1)",
            "tl.max(tl.abs(x), axis=0)",
            "Cannot make_shape_compatible: incompatible dimensions at index 0: 16 and 64",
            Cause.COMPILE_ERROR,
        ),
        Variant(
            "the top of another e4m3",
            "axis=1) / top",
            "axis=1) / 448.0",
            r"everything is 0\.5357 times what is expected: look at a scale",
            quick=True,
        ),
        Variant(
            "multiplied by the scale",
            "x / scale[:, None]",
            "x * scale[:, None]",
            r"right if .*\(line \d+\) were a product",
        ),
        Variant(
            "the scale is inverted",
            "scale, mask=inside)",
            "1.0 / scale, mask=inside)",
            "everything is 1 over what is expected",
        ),
        Variant(
            "every row is the first",
            "(row + group)[:, None] * G",
            "group[:, None] * G",
            r"wrong at q\[1, .*only in row 1",
        ),
        Variant(
            "at most 16 groups",
            "triton.cdiv(groups, BLOCK))](",
            "1)](",
            r"wrong at q\[0, 10..\]: got -240",
        ),
        Variant(
            "the store has no mask",
            "element_ty), mask=inside[:, None])",
            "element_ty))",
            "store out of bounds.*of argument 'q_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the scale is cut off at one",
            ", 1e-10)",
            ", 1.0)",
            "it is 1 throughout: is it cut off there",
        ),
    ),
    "int8_quantize": (
        Variant(
            "cut off instead of rounded",
            "(shifted - 12582912.0).to(tl.int8)",
            "tl.div_rn(x, scale).to(tl.int8)",
            r"right if .*\(line \d+\) were (left out|cut off)",
            quick=True,
        ),
        Variant("the largest is 128", "127.0", "128.0", "off by 1 at most, and the largest wrap round:"),
        Variant(
            "the largest, not the largest magnitude",
            "tl.max(tl.abs(x), axis=0)",
            "tl.max(x, axis=0)",
            r"right if .*\(line \d+\) were left out",
        ),
        Variant(
            "a row of zeros divides by zero",
            "tl.maximum(tl.div_rn(tl.max(tl.abs(x), axis=0), 127.0), 1e-10)",
            "tl.div_rn(tl.max(tl.abs(x), axis=0), 127.0)",
            "x is 0 throughout, and so is what is expected: is something divided by it",
        ),
        Variant(
            "rows are cut at 4096",
            "BLOCK = triton.next_power_of_2(N)",
            "BLOCK = min(triton.next_power_of_2(N), 4096)",
            r"only from column 4096 of 4097 on, never written\?",
        ),
        Variant("one scale for all", "scale_ptr + row,", "scale_ptr,", r"wrong at 1\[.*16 of them never written"),
        Variant(
            "the rows of x lie a block apart",
            "x_ptr + row * N",
            "x_ptr + row * BLOCK",
            "load out of bounds.*of argument 'x_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "unsigned",
            "dtype=torch.int8",
            "dtype=torch.uint8",
            r"output 0 is torch\.uint8; torch\.int8 is expected",
            Cause.WRONG_DTYPE,
            quick=True,
        ),
        Variant(
            "the scale is inverted",
            "scale_ptr + row, scale",
            "scale_ptr + row, 1.0 / scale",
            "everything is 1 over what is expected",
        ),
        Variant(
            "the scale has the type of x",
            "torch.empty((M,), dtype=torch.float32",
            "torch.empty((M,), dtype=x.dtype",
            r"output 1 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
    ),
    "int4_dequantize": (
        Variant(
            "the halves of a byte are exchanged",
            "(cols % 2 * 4)",
            "(4 - cols % 2 * 4)",
            "along axis 1 neighbours are exchanged",
            quick=True,
        ),
        Variant("no zero point", "& 15) - 8", "& 15)", r"right if .*\(line \d+\) were its first operand alone"),
        Variant("the zero point is 7", "& 15) - 8", "& 15) - 7", "it is off by an amount"),
        Variant(
            "scales lie a group apart",
            "row * (K // G) + cols // G",
            "row * G + cols // G",
            "load out of bounds.*of argument 'scale_ptr'",
            OUT_OF_BOUNDS,
        ),
        Variant(
            "rows of bytes are taken for rows of values",
            "row * (K // 2)",
            "row * K",
            "load out of bounds.*of argument 'packed_ptr'",
            OUT_OF_BOUNDS,
            quick=True,
        ),
        Variant(
            "the high half stays in the low",
            "((byte >> (cols % 2 * 4)) & 15) - 8",
            "(byte >> (cols % 2 * 4)) - 8",
            r"wrong at \[",
        ),
        Variant(
            "two's complement",
            "((byte >> (cols % 2 * 4)) & 15) - 8",
            "(((byte >> (cols % 2 * 4)) & 15) ^ 8) - 8",
            "right if .*each half of a byte of packed were two's complement",
        ),
        Variant(
            "only the first block of columns",
            "(N, triton.cdiv(K, BLOCK))",
            "(N, 1)",
            r"only from column 1024 of 1152 on, never written\?",
        ),
        Variant(
            "the result is fp32",
            "dtype=scale.dtype",
            "dtype=torch.float32",
            r"output 0 is torch\.\w+; torch\.\w+ is expected",
            Cause.WRONG_DTYPE,
        ),
        Variant(
            "the first half of the columns is in the low bits",
            "cols // 2, mask=inside, other=0).to(tl.int32)\n    value = ((byte >> (cols % 2 * 4))",
            "cols % (K // 2), mask=inside, other=0).to(tl.int32)\n    value = ((byte >> (cols // (K // 2) * 4))",
            "along axis 1 it lies in halves, not interleaved",
        ),
        Variant(
            "the first scale of a row for all",
            "row * (K // G) + cols // G",
            "row * (K // G) + cols * 0",
            "only from column 32 of 416 on",
        ),
    ),
}
