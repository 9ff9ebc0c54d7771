"""What a file's own example says of its sizes, and what narrower drafts make of it."""

from __future__ import annotations

from pathlib import Path

from geak.drafting import Draft, Wanted, from_torch

LAYERS = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self, inner, outer, dropout=0.1):
        super().__init__()
        sizes = [*inner, outer]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

batch = 32
inner = [2048, 2048, 3]
outer = 96

def get_inputs():
    return [torch.rand(batch, 2048)]

def get_init_inputs():
    return [inner, outer]
"""

UNREADABLE = """
import torch
import torch.nn as nn

class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, x, y):
        return getattr(torch, "add")(x, y) * self.width

def get_inputs():
    return [torch.rand(3, 48, 48), torch.rand(3, 48, 700)[..., :48]]

def get_init_inputs():
    return [48]
"""


def drafted(text: str, **wanted: object) -> Draft:
    return from_torch(Path("file.py"), "Model", "ModelNew", wanted=Wanted(("fp32",), 4096, **wanted), text=text)  # type: ignore[arg-type]


def test_the_files_own_sizes_are_timed_and_in_the_domain():
    made = drafted(UNREADABLE.replace("[..., :48]", "").replace("700", "48"))
    assert made.own is not None
    assert set(made.own.values()) == {3, 48}
    assert f"bench=[\n        {made.own!r},".replace("'", '"') in made.text


def test_sizes_of_layers_in_a_list_are_axes_and_small_numbers_stay():
    made = drafted(LAYERS)
    assert '"inner": ["INNER_2048", "INNER_2048", 3],' in made.text
    assert '"inner": ["N2048", "N2048", 3],' in drafted(LAYERS, by_example=True).text
    assert '"inner": ["INNER_64", "INNER_64"],' in drafted(LAYERS.replace("[2048, 2048, 3]", "[64] * 2")).text


def test_by_example_equal_sizes_are_one_axis_and_few_stay_as_they_are():
    made = drafted(UNREADABLE.replace("[..., :48]", ""), by_example=True)
    assert made.own == {"N48": 48, "N700": 700}
    assert '"x": Tensor("3, N48, N48", "T")' in made.text
    assert '"y": Tensor("3, N48, N700", "T")' in made.text
    assert '"width": Scalar("int", "N48")' in made.text


def test_what_does_not_agree_with_the_code_is_not_its_own_size():
    product = UNREADABLE.replace('getattr(torch, "add")(x, y)', "torch.matmul(x, y)").replace("[..., :48]", "")
    assert drafted(product).own is not None
    assert drafted(product.replace("(3, 48, 700)", "(3, 50, 700)")).own is None


def test_a_single_case_has_a_domain_of_its_own_sizes_alone():
    text = UNREADABLE.replace("[..., :48]", "").replace("700", "48")
    whole, alone = drafted(text), drafted(text, first=1, single=True)
    assert (whole.fixed, alone.fixed) == (False, True)
    assert alone.text.count("Axis(choices=(") == alone.text.count("Axis(") > 0
    assert "bench" not in alone.text


def test_all_but_the_batch_may_stay_as_it_is():
    text = UNREADABLE.replace("(3, 48, 48)", "(77, 48, 48)").replace("(3, 48, 700)[..., :48]", "(77, 48, 48)")
    made = drafted(text, by_example=True, as_made=True)
    assert '"N77": Axis(1, ' in made.text
    assert '"N48": Axis(choices=(48,))' in made.text
    assert '{"N77": 1, "N48": 48}' in made.text


def test_by_example_what_the_example_leaves_out_is_left_out():
    text = UNREADABLE.replace("def forward(self, x, y)", "def forward(self, x, y, mask=None)").replace("[..., :48]", "")
    made = drafted(text, by_example=True)
    assert made.own is not None
    assert "mask" not in made.text.split("contract=")[0]
    assert "super().forward(x=x, y=y)" in made.text


LENT = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Model(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, groups, training, dropout_p, mode="zeros", **kwargs):
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, groups=groups)
        self.weight = nn.Parameter(conv.weight.clone())
        self.groups = groups

    def forward(self, x):
        return F.conv2d(x, self.weight, None, groups=self.groups)

batch = 32
in_channels = 8
out_channels = 64
kernel_size = (3, 5)

def get_inputs():
    return [torch.rand(batch, in_channels, 40, 40)]

def get_init_inputs():
    return [in_channels, out_channels, kernel_size, 4, True, 0.2]
"""


def test_a_constructor_is_called_as_the_file_calls_it_but_for_what_is_random():
    made = drafted(LENT)
    assert made.questions == ()
    init = made.text.split("init={\n")[1].split("    },")[0]
    assert " ".join(init.split()) == (
        '"in_channels": Scalar("int", 8), "out_channels": Scalar("int", "O"), "kernel_size": (3, 5), '
        '"groups": Scalar("int", 4), "training": Scalar("bool", True), "dropout_p": Scalar("float", 0.0),'
    )
    assert "class Reference(nn.Module)" in made.text
    assert "**kwargs" in made.text


def test_a_convolution_that_lends_its_weight_tells_of_sizes_and_so_does_a_small_number_of_an_input():
    text = drafted(LENT).text
    assert '"x": Tensor("batch, 8, S, D", "T")' in text
    assert '"S": Axis(3, ' in text
    assert '"D": Axis(5, ' in text
    assert '"O": Axis(4, 8192, multiple_of=4)' in text


def test_what_no_spec_can_pass_is_settled_and_asked():
    made = drafted(LENT.replace("(3, 5)\n", "(3, None)\n"))
    assert made.questions == ("the constructor's kernel_size is left at (3, None)",)
    assert "kernel_size=(3, None)" in made.text
