"""Which tensors say that they are on the CPU, and what a launch makes of those."""

import pytest
import torch
import triton
import triton.language as tl

from geak_evaluator import device
from geak_evaluator.device import errors
from geak_evaluator.device.host_memory import CudaIsCpu, on_host


@triton.jit
def _double(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


@pytest.fixture
def room():
    with device.activate("gfx942", compile=False), device.pretend_cuda("gfx942"):
        yield


def there(*shape):
    return torch.ones(*shape, device="cuda")


ON_THE_HOST = {
    "made without a device": lambda: torch.empty(3),
    "made for the CPU": lambda: there(3).new_zeros(3, device="cpu"),
    "of numbers": lambda: torch.tensor([1.0, 2.0]),
    "alike": lambda: torch.zeros_like(torch.empty(3)),
    "brought": lambda: there(3).cpu(),
    "brought by name": lambda: there(3).to("cpu"),
    "brought and cast": lambda: there(3).to(device=torch.device("cpu"), dtype=torch.float16),
    "brought by another": lambda: there(3).to(torch.empty(1)),
    "brought to be a tensor": lambda: torch.as_tensor(there(3), device="cpu"),
    "a view": lambda: torch.empty(3, 4)[1:].t(),
    "a view of what was brought": lambda: there(3, 4).cpu().view(-1),
    "computed there": lambda: (torch.ones(3) + torch.ones(3)).float().contiguous(),
    "joined there": lambda: torch.cat([torch.ones(3), there(3).cpu()]),
    "a parameter": lambda: torch.nn.Linear(3, 3).weight,
    "brought back": lambda: torch.empty(3).cuda().cpu(),
    "said by a context": lambda: in_context("cpu"),
}


def in_context(name):
    with torch.device(name):
        return torch.zeros(3)


@pytest.mark.parametrize("name", ON_THE_HOST)
def test_the_host_s_memory_says_so(room, name):
    made = ON_THE_HOST[name]()
    assert (made.device, made.is_cuda, made.is_cpu, made.get_device()) == (torch.device("cpu"), False, True, -1)


ON_THE_DEVICE = {
    "alike": lambda: torch.empty_like(there(3)),
    "new": lambda: there(3).new_empty(5),
    "moved": lambda: torch.zeros(3).cuda(),
    "moved by name": lambda: torch.arange(3).to("cuda:0", non_blocking=True),
    "moved by another's device": lambda: torch.tensor([1, 2]).to(there(1).device),
    "moved by another": lambda: torch.zeros(3).to(there(1)),
    "moved by a type": lambda: torch.zeros(3).type_as(there(1)),
    "a scalar of the host's in it": lambda: there(3) * torch.tensor(2.0),
    "chosen by indices of the host's": lambda: there(3)[torch.tensor([0, 1])],
    "filled from the host": lambda: torch.empty(3, device="cuda").copy_(torch.ones(3)),
    "a module moved": lambda: torch.nn.Linear(3, 3).to("cuda").weight,
    "a module's result": lambda: torch.nn.Linear(3, 3).cuda()(there(3)),
    "said by a context": lambda: in_context("cuda"),
    "nobody knows": lambda: torch.Tensor(3),
}


@pytest.mark.parametrize("name", ON_THE_DEVICE)
def test_in_doubt_it_is_the_device_s(room, name):
    made = ON_THE_DEVICE[name]()
    assert (made.device, made.is_cuda, made.is_cpu, made.get_device()) == (torch.device("cuda", 0), True, False, 0)


def test_a_move_is_a_copy_and_no_move_is_none(room):
    for x, moved in ((there(3), torch.Tensor.cpu), (torch.ones(3), torch.Tensor.cuda)):
        y = moved(x)
        y.zero_()
        assert (x.tolist(), y.tolist()) == ([1.0] * 3, [0.0] * 3)
        assert moved(y) is y
        assert y.to(y.device) is y
    strided = there(3, 4).t()
    assert strided.cpu().stride() == strided.stride()


def test_gradients_flow_through_a_move(room):
    x = torch.ones(3, device="cuda", requires_grad=True)
    (x.cpu() * 2).cuda().sum().backward()
    assert x.grad.tolist() == [2.0] * 3
    assert x.grad.is_cuda


def test_the_default_device(room):
    torch.set_default_device("cuda")
    try:
        assert torch.zeros(3).is_cuda
        assert torch.get_default_device().type == "cuda"
        assert torch.zeros(3, device="cpu").is_cpu
        torch.set_default_device("cpu")
        assert torch.zeros(3).is_cpu
    finally:
        torch.set_default_device(None)
    assert CudaIsCpu.default_is_host


def test_one_mode_is_enough(room):
    with device.pretend_cuda("gfx942"):
        assert torch.zeros(3, device="cuda").is_cuda


def test_a_tensor_without_a_memory_is_no_host_s(room):
    sparse = torch.ones(3, device="cuda").to_sparse()
    assert sparse.is_cuda
    assert not on_host(sparse.to("cpu"))


@pytest.mark.parametrize(("x", "y", "place"), [("cpu", "cuda", 0), ("cuda", "cpu", 1)])
def test_a_launch_on_the_host_s_memory_is_refused(room, x, y, place):
    x, y = torch.ones(8, device=x), torch.ones(8, device=y)
    words = rf"Pointer argument \(at {place}\) cannot be accessed from Triton \(cpu tensor\?\): '{'xy'[place]}'"
    with pytest.raises(errors.HostMemory, match=words) as refused:
        _double[(1,)](x, y, 8, BLOCK=8)
    assert isinstance(refused.value, ValueError)
    _double[(1,)](x.cuda(), y.cuda(), 8, BLOCK=8)
    _double[(1,)](torch.empty(0), y.cuda(), 0, BLOCK=8)


@triton.jit
def _first(both):
    tl.store(both[0], tl.load(both[1]))


def test_tensors_in_tuples_and_reinterpreted_ones_are_looked_at(room):
    wrapped = triton.reinterpret(torch.ones(8, dtype=torch.int32), tl.float32)
    with pytest.raises(errors.HostMemory, match="at 0"):
        _double[(1,)](wrapped, there(8), 8, BLOCK=8)
    with pytest.raises(errors.HostMemory, match="at 0"):
        _first[(1,)]((there(8), torch.ones(8)))


def test_a_survey_takes_the_host_s_memory_too():
    with device.activate("gfx942", compile=False, strict=False), device.pretend_cuda("gfx942"):
        y = torch.empty(8)
        _double[(1,)](torch.ones(8), y, 8, BLOCK=8)
        assert y.tolist() == [2.0] * 8
