import torch
import torch.nn.functional as F


def half_gelu(input, other, alpha=1, approximate="none", out=None):
    """GELU of the difference, halved."""
    return F.gelu(input - alpha * other, approximate=approximate) * 0.5


##################################################################################################################################################


def test_half_gelu():
    results = {}
    x = torch.tensor([1.0, 2.0, 3.0], device="cuda")
    y = torch.tensor([0.5, 1.0, 1.5], device="cuda")
    results["test_case_1"] = half_gelu(x, y)
    results["test_case_2"] = half_gelu(x, y, alpha=0.5)
    results["test_case_3"] = half_gelu(x, y, approximate="tanh")
    return results


test_results = test_half_gelu()
