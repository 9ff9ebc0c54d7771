"""One program a row, in one pass: running maxima, running sums, and the teacher-weighted sum of the differences.

At temperature 1 and with w = exp(t - max t), it is sum(w * (t - s)) / sum(w) - log sum exp t + log sum exp s. Logits
are only ever subtracted from each other, which loses nothing of what tells them apart.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def _kl_divergence(student_ptr, teacher_ptr, loss_ptr, V, temperature, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * V
    cols = tl.arange(0, BLOCK)
    s_top = tl.full((), float("-inf"), tl.float32)
    t_top = tl.full((), float("-inf"), tl.float32)
    s_sum = tl.full((), 0.0, tl.float32)
    t_sum = tl.full((), 0.0, tl.float32)
    between = tl.full((), 0.0, tl.float32)
    for start in range(0, V, BLOCK):
        inside = start + cols < V
        s = tl.load(student_ptr + row + start + cols, mask=inside, other=float("-inf")).to(tl.float32)
        t = tl.load(teacher_ptr + row + start + cols, mask=inside, other=float("-inf")).to(tl.float32)
        s_high = tl.maximum(s_top, tl.max(s, axis=0))
        t_high = tl.maximum(t_top, tl.max(t, axis=0))
        weights = tl.exp((t - t_high) / temperature)
        fade = tl.exp((t_top - t_high) / temperature)
        s_sum = s_sum * tl.exp((s_top - s_high) / temperature) + tl.sum(tl.exp((s - s_high) / temperature), axis=0)
        t_sum = t_sum * fade + tl.sum(weights, axis=0)
        between = between * fade + tl.sum(tl.where(inside, weights * (t - s), 0.0), axis=0)
        s_top, t_top = s_high, t_high
    loss = (between / t_sum - (t_top - s_top)) / temperature - (tl.log(t_sum) - tl.log(s_sum))
    tl.store(loss_ptr + tl.program_id(0), loss)


def kl_divergence(student, teacher, temperature):
    """Divergence of each row of two contiguous matrices of logits."""
    M, V = student.shape
    loss = torch.empty((M,), dtype=torch.float32, device=student.device)
    BLOCK = min(triton.next_power_of_2(V), 2048)
    _kl_divergence[(M,)](student, teacher, loss, V, temperature, BLOCK, num_warps=4)
    return loss
