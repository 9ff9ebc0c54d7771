import torch
import torch.nn as nn


class Model(nn.Module):
    """
    A linear layer, a learned shift, and a sigmoid.
    """

    def __init__(self, in_features, out_features, shift_shape):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.shift = nn.Parameter(torch.randn(shift_shape))

    def forward(self, x):
        return torch.sigmoid(self.linear(x) + self.shift)


batch_size = 1024
in_features = 512
out_features = 256
shift_shape = (out_features,)


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features, shift_shape]
