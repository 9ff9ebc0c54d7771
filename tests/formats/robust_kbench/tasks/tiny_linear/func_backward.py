import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class AutogradFunction(torch.autograd.Function):
    backward_fn = None

    @staticmethod
    def forward(ctx, x, weights, biases):
        ctx.save_for_backward(x, weights)
        return F.linear(x, weights, biases)

    @staticmethod
    def backward(ctx, grad_output):
        x, weights = ctx.saved_tensors
        grad_input, grad_weights = AutogradFunction.backward_fn(grad_output, x, weights)
        return grad_input, grad_weights, None


def forward_fn(x: torch.Tensor, weights: torch.Tensor, biases: torch.Tensor) -> torch.Tensor:
    """A linear layer: y = x @ W^T + b.

    Args:
        x (torch.Tensor): Input tensor of shape (batch_size, num_input_features)
        weights (torch.Tensor): Weights matrix of shape (num_output_features, num_input_features)
        biases (torch.Tensor): Biases vector of shape (num_output_features)

    Returns:
        torch.Tensor: Output tensor of shape (batch_size, num_output_features)
    """
    return F.linear(x, weights, biases)


class Model(nn.Module):
    """
    A linear layer.
    """

    def __init__(self, num_input_features: int = 256, num_output_features: int = 256, init_method: str = "normal"):
        super().__init__()
        self.weights = nn.Parameter(torch.empty(num_output_features, num_input_features))
        self.biases = nn.Parameter(torch.zeros(num_output_features))
        if init_method == "kaiming":
            nn.init.kaiming_uniform_(self.weights, a=math.sqrt(5))
        else:
            nn.init.normal_(self.weights)

    def forward(self, x, fn=forward_fn):
        return fn(x, self.weights, self.biases)


def get_inputs(batch_size: int = 16, num_input_features: int = 256):
    x = torch.randn(batch_size, num_input_features, requires_grad=True)
    return [x]


input_names = ["x"]
