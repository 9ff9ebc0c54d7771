import torch


def softmax(x, dim=-1):
    """Numerically stable softmax."""
    z = x - x.max(dim=dim, keepdim=True).values
    e = torch.exp(z)
    return e / e.sum(dim=dim, keepdim=True)
