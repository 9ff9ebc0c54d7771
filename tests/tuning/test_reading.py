"""What is tunable in a file, found by reading it."""

import ast

import pytest

from geak_evaluator.tune.reading import Untunable, read
from geak_evaluator.tune.writing import written
from tests.tuning import files


def values(source: str, target: str = "gfx942") -> dict[str, tuple[int, tuple[int, ...]]]:
    """What may be changed, with its value and its choices."""
    space = read(source.encode())
    found = {name: (space.knobs[name].value, tried) for name, tried in space.choices(target).items()}
    return {name: (value, tried) for name, (value, tried) in found.items() if len(tried) > 1}


def test_a_block_at_a_launch_changes_with_its_grid():
    assert values(files.DOUBLE)["BLOCK"] == (256, (64, 128, 256, 512, 1024))
    space = read(files.DOUBLE.encode())
    text = written(space, {**space.present, "BLOCK": 512, "num_warps": 8}, "sm_90").decode()
    assert "kernel[(triton.cdiv(x.numel(), 512),)](x, y, x.numel(), BLOCK=512, num_warps=8)" in text


def test_the_present_values_leave_every_byte_as_it_is():
    for source in (files.DOUBLE, files.TABLE, files.MATMUL, files.ROWS, files.DOUBLE.replace("\n", "\r\n")):
        space = read(source.encode())
        assert written(space, space.present, "gfx942") == source.encode()


def test_tiles_are_found_behind_names_defaults_and_positions():
    found = values(files.MATMUL)
    assert {name: value for name, (value, _) in found.items() if name.startswith(("B", "T", "G"))} == {
        "BM": 64,
        "BN": 32,
        "BK": 32,
    }
    assert min(found["BK"][1]) == 16  # a product takes no smaller tile
    assert found["num_stages"][1] == (0, 1)
    assert values(files.MATMUL, "sm_90")["num_stages"][1] == (0, 1, 2, 4, 5)


def test_options_of_amd_alone_are_kept_from_cuda():
    assert {"waves_per_eu", "matrix_instr_nonkdim", "kpack"} <= values(files.MATMUL).keys()
    assert not {"waves_per_eu", "matrix_instr_nonkdim", "kpack"} & values(files.MATMUL, "sm_90").keys()
    assert "kpack" not in values(files.DOUBLE)  # nothing is multiplied there
    space = read(files.MATMUL.encode())
    text = written(space, {**space.present, "BM": 128, "num_stages": 1, "kpack": 2}, "gfx942").decode()
    ast.parse(text)
    assert "TILE = 128" in text
    assert 'num_stages=1, **({"kpack": 2} if torch.version.hip else {}))' in text


def test_warps_end_where_programs_do():
    assert values(files.DOUBLE)["num_warps"][1] == (0, 1, 2, 8)
    assert values(files.DOUBLE, "sm_90")["num_warps"][1] == (0, 1, 2, 8, 16)


def test_what_follows_the_input_or_is_no_tile_stays():
    found = values(files.ROWS)
    assert found["num_warps"] == (2, (1, 2, 4, 8))  # the least; what is the most is felt where nothing is compiled
    assert not {"eps", "BLOCK"} & found.keys()
    assert read(files.ROWS.encode()).left == (
        "line 17: BLOCK of whole follows a size of the input (triton.next_power_of_2(N))",
    )


def test_a_bound_of_a_size_may_change_where_a_loop_covers_the_rest():
    looped = files.ROWS.replace(
        "    at = tl.arange(0, BLOCK)\n", "    for start in range(0, N, BLOCK):\n        pass\n"
    )
    looped = looped.replace("y + row + at", "y + row + tl.arange(0, BLOCK)")
    found = values(looped.replace("BLOCK = triton.next_power_of_2(N)", "BLOCK = min(triton.next_power_of_2(N), 512)"))
    assert found["BLOCK"][0] == 512


def test_lists_are_read_and_written():
    space = read(files.AUTOTUNED.encode())
    assert space.lists[0].entries == (
        {"BLOCK": 128, "TWICE": 2, "num_warps": 1},
        {"BLOCK": 128, "TWICE": 2, "num_warps": 8},
    )
    found = values(files.AUTOTUNED)
    assert found["BLOCK"] == (128, (32, 64, 128, 256, 512))
    assert "TWICE" not in found  # it cuts nothing into tiles
    text = written(space, {**space.present, "BLOCK": 512}, "gfx942").decode()
    assert 'configs=[\n        triton.Config({"BLOCK": 512, "TWICE": 2}, num_warps=1),\n    ],' in text


def test_a_table_is_read_by_target():
    space = read(files.TABLE.encode())
    assert [entry.targets for entry in space.tables[0].entries] == [("gfx942",), ("sm_90",)]
    text = written(space, {**space.present, "BLOCK": 256, "num_warps": 2}, "sm_90").decode()
    assert '"gfx942": {"BLOCK": 64, "num_warps": 4}' in text
    assert '"sm_90": {"BLOCK": 256, "num_warps": 2}' in text


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            files.AUTOTUNED.replace('["n"]', '["n_elements"]'),
            "the autotune key 'n_elements' names no parameter of kern",
        ),
        (files.HEAD, "the file defines no @triton.jit kernel"),
    ],
)
def test_what_nothing_can_be_done_with_is_told(source, words):
    with pytest.raises(Untunable, match=words):
        read(source.encode())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("configs=[triton", "configs=make() or [triton", "are computed; write them out"),
        ("num_warps=w", "num_warps=w, maxnreg=64", "say more than num_warps and num_stages (maxnreg)"),
        ("if b > 64", "if ok(b)", "by a condition that is more than one comparison"),
    ],
)
def test_a_list_that_cannot_be_read_is_left(old, new, words):
    assert old in files.AUTOTUNED
    space = read(files.AUTOTUNED.replace(old, new).encode())
    assert words in space.left[0]
    assert space.lists == ()


def test_a_number_that_two_things_could_mean_stays():
    twice = files.MATMUL.replace("TILE, BN, BK=32", "64, 64, BK=32").replace("cdiv(M, TILE)", "cdiv(M, 64)")
    space = read(twice.encode())
    text = written(space, {**space.present, "BM": 128}, "gfx942").decode()
    assert "cdiv(M, 64)" in text  # whose 64 it is cannot be read; the gate says whether it matters


def test_what_covers_all_at_once_is_no_tile_even_as_a_number():
    space = read(files.ROWS.replace("triton.next_power_of_2(N)", "1024").encode())
    assert "BLOCK" not in space.knobs
    assert "BLOCK of whole is as large as what it covers, and no tile" in space.left[0]
