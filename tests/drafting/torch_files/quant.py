import torch


def dequant_matmul(a, b_q, scales, group_size: int = 32):
    """
    Args:
        a (torch.Tensor): activations of shape (M, K), fp16
        b_q (torch.Tensor): [K, N] int8
        scales: [K // group_size, N]
    """
    w = b_q.to(a.dtype) * scales.repeat_interleave(group_size, dim=0)
    return a @ w
