"""Wrappers as people write them, unmodified."""

import pytest
import torch
import triton
import triton.language as tl

from geak_evaluator import device
from geak_evaluator.children.modes import Mode


@triton.jit
def _add(x, y, out, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out + i, tl.load(x + i, mask=i < n) + tl.load(y + i, mask=i < n), mask=i < n)


def add(x, y):
    assert x.is_cuda
    assert x.device.type == "cuda"
    assert not x.is_cpu
    out = torch.empty_like(x, device=x.device)
    with torch.cuda.device(x.device):
        _add[lambda meta: (triton.cdiv(x.numel(), meta["BLOCK"]),)](x, y, out, x.numel(), BLOCK=128)
    torch.cuda.synchronize()
    return out


@pytest.fixture
def room():
    with device.activate("gfx942", compile=False), device.pretend_cuda("gfx942"):
        yield


def test_a_wrapper_for_cuda(room):
    x, y = torch.randn(1000, device="cuda"), torch.randn(1000, device=torch.device("cuda:0"))
    torch.testing.assert_close(add(x, y), x + y)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(3).cuda(),
        lambda: torch.zeros(3).to("cuda"),
        lambda: torch.zeros(3).to(device="cuda:0", dtype=torch.float16),
        lambda: torch.zeros(3).to(0),
        lambda: torch.zeros(3, device=0),
        lambda: torch.tensor([1.0], device="cuda"),
        lambda: torch.zeros(3, pin_memory=True).pin_memory().cuda(non_blocking=True),
        lambda: torch.nn.Linear(3, 3).cuda().weight,
        lambda: torch.nn.Linear(3, 3, device="cuda")(torch.zeros(1, 3, device="cuda")),
        lambda: torch.randn(3, device="cuda", generator=torch.Generator(device="cuda").manual_seed(1)),
        lambda: torch.arange(5, device="cuda").new_zeros(3, device="cuda"),
        lambda: torch.zeros(3, device="cuda").cpu().to(torch.zeros(1, device="cuda").device),
    ],
)
def test_whatever_is_made_for_cuda_seems_to_be_there(room, make):
    made = make()
    assert made.is_cuda
    assert made.get_device() == 0
    assert made.device == torch.device("cuda", 0)


def test_a_device_as_a_context_and_as_the_default(room):
    with torch.device("cuda"):
        assert torch.zeros(3).is_cuda
    torch.set_default_device("cuda")
    try:
        assert torch.zeros(3).is_cuda
    finally:
        torch.set_default_device(None)


def test_the_active_device_is_where_tensors_say_they_are(room):
    active = triton.runtime.driver.active.get_active_torch_device()
    assert torch.zeros(3, device=active).device == active


class _Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return add(x, x)

    @staticmethod
    def backward(ctx, grad):
        return add(grad.contiguous(), grad.contiguous())


def test_gradients_through_kernels(room):
    x = torch.randn(10, device="cuda", requires_grad=True)
    _Double.apply(x).sum().backward()
    assert x.grad.tolist() == [2.0] * 10


@pytest.mark.parametrize(
    ("target", "capability", "processors", "arch"),
    [("gfx942", (9, 4), 304, "gfx942"), ("sm_90", (9, 0), 132, "sm_90"), ("sm_80", (8, 0), 108, "sm_80")],
)
def test_torch_cuda_describes_the_target(target, capability, processors, arch):
    with device.pretend_cuda(target):
        assert torch.cuda.is_available()
        assert torch.cuda.device_count() == 1
        assert torch.cuda.get_device_capability() == capability
        properties = torch.cuda.get_device_properties(0)
        assert (properties.multi_processor_count, properties.gcnArchName) == (processors, arch)
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        end.record()
        assert start.elapsed_time(end) > 0
        with torch.cuda.stream(torch.cuda.Stream()):
            torch.cuda.current_stream().synchronize()
        torch.cuda.manual_seed(3)
        assert torch.cuda.get_device_name() == device.find(target).product


def test_an_expanded_gradient_read_as_if_contiguous_is_caught(room):
    one = torch.ones(1, device="cuda").expand(10)
    with pytest.raises(
        device.OutOfBounds, match=r"9 active lanes, the first at element 1 of argument '.*', whose memory holds 1"
    ):
        add(one, one)


def test_torch_is_as_before_afterwards():
    before = dict(vars(torch.cuda)), torch.Generator, torch.set_default_device
    with device.pretend_cuda("gfx942"):
        assert torch.zeros(1, device="cuda").is_cuda
        assert isinstance(torch.Generator(), torch.Generator)
    assert (dict(vars(torch.cuda)), torch.Generator, torch.set_default_device) == before
    assert torch.zeros(1).device.type == "cpu"
    assert not torch.cuda.is_available()


def test_what_inductor_calls_to_allocate():
    with device.pretend_cuda("gfx942"):
        allocate = torch._C._dynamo.guards._empty_strided_cuda
        made = allocate((2, 3), (3, 1), torch.float32)
        assert (made.shape, made.stride(), made.device.type) == ((2, 3), (3, 1), "cuda")
    assert made.device.type == "cpu"


class Seen(Mode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_recorder_sees_what_inductor_allocates():
    with device.pretend_cuda("gfx942"), Seen() as seen:
        torch._C._dynamo.guards._empty_strided_cuda((2, 3), (3, 1), torch.float32)
    assert seen.names == ["aten.empty_strided.default"]


def test_the_state_of_the_devices_generator_is_a_seed_and_an_offset():
    with device.pretend_cuda("gfx942"):
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        generator.manual_seed(7)
        state = generator.get_state()
        seed, offset = state.view(torch.int64)
        assert (int(seed), int(offset)) == (7, 0)
        offset += 4
        generator.set_state(state)
        assert generator.get_state().view(torch.int64).tolist() == [7, 4]


def test_a_seed_may_have_all_of_its_64_bits():
    with device.pretend_cuda("gfx942"):
        generator = torch.cuda.default_generators[0]
        generator.manual_seed((1 << 64) - 3)
        generator.set_state(generator.get_state())
        assert generator.initial_seed() == (1 << 64) - 3
