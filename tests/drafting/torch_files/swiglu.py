import torch
import torch.nn.functional as F


def swiglu(x: torch.Tensor, w_gate: torch.Tensor, w_up: torch.Tensor, w_down: torch.Tensor):
    """x: (batch, seq, hidden); w_gate, w_up: (hidden, inter); w_down: (inter, hidden)"""
    return (F.silu(x @ w_gate) * (x @ w_up)) @ w_down
