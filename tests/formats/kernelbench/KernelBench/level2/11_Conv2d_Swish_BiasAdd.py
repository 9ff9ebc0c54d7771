import torch
import torch.nn as nn


class Model(nn.Module):
    """
    A convolution, a swish, and a learned bias of a shape of its own.
    """

    def __init__(self, in_channels, out_channels, kernel_size, bias_shape, dropout_p, eps=1e-6):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.bias = nn.Parameter(torch.randn(bias_shape))
        self.dropout = nn.Dropout(dropout_p)
        self.eps = eps

    def forward(self, x):
        x = self.conv(x)
        return self.dropout(x * torch.sigmoid(x + self.eps)) + self.bias


batch_size = 64
in_channels = 3
out_channels = 32
height, width = 128, 96
kernel_size = (3, 5)
bias_shape = (out_channels, 1, 1)
dropout_p = 0.2


def get_inputs():
    return [torch.rand(batch_size, in_channels, height, width)]


def get_init_inputs():
    return [in_channels, out_channels, kernel_size, bias_shape, dropout_p]
