import torch


def stacked_cholesky(matrices):
    """The factor of each of two matrices, side by side."""
    return torch.stack([torch.linalg.cholesky(one) for one in matrices])


##################################################################################################################################################


def test_stacked_cholesky():
    a = torch.tensor([[4.0, 1.0], [1.0, 3.0]], device="cuda")
    b = torch.tensor([[9.0, 2.0], [2.0, 5.0]], device="cuda")
    return {"test_case_1": stacked_cholesky([a, b])}


test_results = test_stacked_cholesky()
