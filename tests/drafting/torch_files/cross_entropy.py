import torch


def cross_entropy(logits, targets, label_smoothing: float = 0.0, reduction="mean"):
    # logits: (N, V) fp32
    logp = torch.log_softmax(logits, dim=-1)
    picked = logp.gather(1, targets.unsqueeze(1)).squeeze(1)
    loss = -(1 - label_smoothing) * picked - label_smoothing * logp.mean(dim=-1)
    return loss.mean() if reduction == "mean" else loss
