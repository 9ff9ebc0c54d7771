"""Machine code in the verdict: every asked target on its own, every configuration of an autotuned kernel."""

from __future__ import annotations

from trial import IMPORTS, KERNEL, SPEC, a_spec, accepted, changed, rejected, verdict_on

from geak_evaluator.schema.target import TARGETS
from geak_evaluator.schema.verdict import Cause, Status, Tier

BIG = f"""{IMPORTS}

@triton.jit
def _product(x, y, n, STAGES: tl.constexpr):
    at = tl.arange(0, 128)
    total = tl.zeros((128, 128), tl.float32)
    for k in range(n):
        a = tl.load(x + k + at[:, None] * 128 + at[None, :])
        b = tl.load(x + 2 * k + at[:, None] * 128 + at[None, :])
        total += tl.dot(a, b)
    tl.store(y + at[:, None] * 128 + at[None, :], total * 0)


@triton.jit
def _scale(x, y, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.load(x + at, mask=at < n) * 2 + 1, mask=at < n)


def scale(x):
    y = torch.empty_like(x)
    big = torch.zeros(1 << 16, device=x.device, dtype=torch.float16)
    _product[(1,)](big, torch.empty(128 * 128, device=x.device), 2, STAGES=1, num_stages=3)
    _scale[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""


def test_every_target_has_its_own_figures(judge):
    verdict = verdict_on(judge, SPEC, KERNEL, targets=list(TARGETS))
    accepted(verdict)
    assert [code.target for code in verdict.code] == list(TARGETS)
    for code in verdict.code:
        assert code.kernels
        assert all(figures.target == code.target for figures in code.kernels)
    assert verdict.line().count("VGPR") == 1
    assert verdict.line().endswith(", gfx950, gfx90a, sm_80, sm_90, sm_100")
    assert {case.target for case in verdict.cases} == {"", *list(TARGETS)[1:]}


def test_every_specialisation_is_compiled(judge):
    spec = changed(
        SPEC,
        ('Tensor("M, N")', 'Tensor("M, N", "T")'),
        ("    cases=", '    dtypes={"T": ("fp16", "fp32")},\n    cases='),
    )
    verdict = verdict_on(judge, spec, KERNEL)
    accepted(verdict)
    widths = [max(figures.counts.loads) for figures in verdict.code[0].kernels]
    assert len(widths) == 2
    assert widths[0] != widths[1]


def test_a_kernel_that_asks_for_more_than_the_device_has(judge):
    verdict = verdict_on(judge, SPEC, BIG, target="gfx942", tier=Tier.GATE)
    rejected(verdict, Cause.OUT_OF_RESOURCES, "does not compile for gfx942", "shared memory, Required: ")
    accepted(verdict_on(judge, SPEC, BIG, target="sm_90", tier=Tier.GATE))


def test_another_target_refuses_for_all(judge):
    verdict = verdict_on(judge, SPEC, BIG, targets=["sm_90", "gfx942"])
    assert verdict.status is Status.REJECTED
    assert verdict.misfit.target == "gfx942"
    assert verdict.line().startswith("REJECTED scale  does not compile for gfx942: ")
    assert verdict.code[0].kernels


def test_a_wrapper_may_go_another_way_on_another_target(judge):
    wrong = changed(KERNEL, ("y, n, BLOCK=64)", "y, n if torch.version.hip else n - 1, BLOCK=64)"))
    accepted(verdict_on(judge, SPEC, wrong))
    verdict = verdict_on(judge, SPEC, wrong, targets=["gfx942", "sm_90"])
    rejected(verdict, Cause.WRONG_VALUES)
    assert verdict.failure.target == "sm_90"
    assert "M=3, N=70, sm_90]" in verdict.line()


def test_every_case_that_is_launched_otherwise_there_is_run(judge):
    spec = changed(SPEC, ("choices=(70,)", "choices=(70, 200)"), ('"N": 70}]', '"N": 70}, {"M": 3, "N": 200}]'))
    less = "n - (x.shape[1] > 128 and not torch.version.hip)"
    wrong = changed(KERNEL, ("y, n, BLOCK=64)", f"y, {less}, BLOCK=64)"))
    accepted(verdict_on(judge, spec, wrong))
    verdict = verdict_on(judge, spec, wrong, targets=["gfx942", "sm_90"])
    rejected(verdict, Cause.WRONG_VALUES)
    assert "M=3, N=200, sm_90]" in verdict.line()


def test_what_a_wrapper_does_at_hidden_sizes_alone_is_seen_there_too(judge):
    less = "n - (x.shape[1] != 512 and not torch.version.hip)"
    wrong = changed(KERNEL, ("y, n, BLOCK=64)", f"y, {less}, BLOCK=64)"))
    verdict = verdict_on(judge, OF_ANY_SIZE, wrong, targets=["gfx942", "sm_90"])
    rejected(verdict, Cause.WRONG_VALUES)
    assert verdict.failure.hidden
    assert verdict.failure.target == "sm_90"


EIGHT = a_spec(
    "def reference(x):\n    return x.to(torch.float32) * 2",
    inputs='{"x": Tensor("M, N", "fp8_e4m3")}',
    more='outputs=Tensor("M, N"),',
)
EIGHT_KERNEL = changed(
    KERNEL,
    ("value * 2 + 1", "value.to(tl.float32) * 2"),
    ("torch.empty_like(x)", "torch.empty_like(x, dtype=torch.float32)"),
)


def test_a_target_that_lacks_the_spec_s_format_is_named(judge):
    verdict = verdict_on(judge, EIGHT, EIGHT_KERNEL, targets=["gfx942", "sm_80", "sm_90"])
    assert verdict.status is Status.ACCEPTED, verdict.line()
    assert [(code.target, code.cause) for code in verdict.code] == [
        *(("gfx942", None), ("sm_80", Cause.UNSUPPORTED), ("sm_90", None))
    ]
    assert verdict.line().endswith("), sm_90")
    assert any(line.startswith("sm_80: unsupported: ") for line in verdict.details())
    alone = verdict_on(judge, EIGHT, EIGHT_KERNEL, targets=["sm_80"])
    assert alone.status is Status.UNDECIDED


def test_a_format_that_only_the_kernel_wants_is_its_own_fault(judge):
    own = changed(KERNEL, ("value * 2 + 1", "value.to(tl.float8e4nv).to(tl.float32) * 2 + 1"))
    rejected(verdict_on(judge, SPEC, own, target="sm_80"), Cause.COMPILE_ERROR, "fp8e4nv")


TUNED = changed(
    KERNEL,
    (
        "@triton.jit\n",
        "@triton.autotune([triton.Config({'BLOCK': b, 'SLIP': s}, num_warps=w) for b, s, w in CONFIGS], key=['n'])\n"
        "@triton.jit\n",
    ),
    ("BLOCK: tl.constexpr):", "BLOCK: tl.constexpr, SLIP: tl.constexpr):"),
    ("value * 2 + 1", "value * 2 + 1 + SLIP"),
    ("_scale[(triton.cdiv(n, 64),)](x, y, n, BLOCK=64)", "_scale[lambda m: (triton.cdiv(n, m['BLOCK']),)](x, y, n)"),
)


def tuned(*configurations: tuple[int, int, int]) -> str:
    return changed(TUNED, ("CONFIGS", repr(list(configurations))))


def test_every_configuration_that_may_be_picked_is_run(judge):
    verdict = verdict_on(judge, SPEC, tuned((64, 0, 4), (32, 0, 4), (128, 0, 2)))
    accepted(verdict)
    run = [case.configuration for case in verdict.cases if case.configuration]
    assert run[2] == "the first call, which tries them all"
    assert ["BLOCK: 32" in run[0], "BLOCK: 128" in run[1], len(run)] == [True, True, 3]


def test_a_wrong_configuration_is_named(judge):
    verdict = verdict_on(judge, SPEC, tuned((64, 0, 4), (32, 0, 4), (128, 1, 2), (16, 0, 1)))
    rejected(verdict, Cause.WRONG_VALUES)
    assert "BLOCK: 128, SLIP: 1, num_warps: 2" in verdict.line()
    assert any("take it out of the list" in line for line in verdict.details())


OF_ANY_SIZE = changed(SPEC, ("Axis(choices=(70,))", "Axis(1, 4096)"), ('"N": 70', '"N": 512'))
WRONG_AT_ODD_SIZES = changed(TUNED, ("* 2 + 1 + SLIP", "* 2 + 1 + SLIP * (n % 64 != 0)"))


def test_each_configuration_is_run_at_a_size_that_no_case_shows(judge):
    verdict = verdict_on(judge, OF_ANY_SIZE, tuned((64, 0, 4), (32, 0, 4), (128, 0, 2)))
    accepted(verdict)
    hidden = [case.configuration for case in verdict.cases if case.hidden and case.configuration]
    near, far = hidden[:2], hidden[2:]
    for there in (near, far):
        assert ["BLOCK: 32" in there[0], "BLOCK: 128" in there[1], len(there)] == [True, True, 2]


def test_one_that_is_wrong_at_such_sizes_alone_is_named(judge):
    wrong = changed(WRONG_AT_ODD_SIZES, ("CONFIGS", repr([(64, 0, 4), (32, 0, 4), (128, 1, 2)])))
    verdict = verdict_on(judge, OF_ANY_SIZE, wrong)
    rejected(verdict, Cause.WRONG_VALUES)
    assert "[hidden case: a size that is no multiple of a tile, BLOCK: 128, SLIP: 1, num_warps: 2" in verdict.line()
    assert verdict.unreached == ("other targets",)


ONE_BLOCK = f"""{IMPORTS}

def _room(configs, at, **more):
    return [one for one in configs if PRUNED one.kwargs["BLOCK"] >= at["n"]] or configs[-1:]


@triton.autotune(
    [triton.Config({{"BLOCK": b}}) for b in BLOCKS], key=["n"], prune_configs_by={{"early_config_prune": _room}}
)
@triton.jit
def _row(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    row = tl.program_id(0) * n
    tl.store(y + row + at, tl.load(x + row + at, mask=at < n) * 2 + 1, mask=at < n)


def scale(x):
    y = torch.empty_like(x)
    _row[(x.shape[0],)](x, y, x.shape[1])
    return y
"""
ROWS = changed(
    SPEC, ('M": Axis(choices=(3,))', 'M": Axis(choices=(3, 4, 5))'), ("Axis(choices=(70,))", "Axis(1, 4096)")
)


def one_block(blocks: tuple[int, ...], *, pruned: bool) -> str:
    return changed(ONE_BLOCK, ("BLOCKS", repr(blocks)), ("PRUNED", "" if pruned else "True or"))


def test_a_block_that_is_too_short_far_beyond_the_shown_sizes_is_found(judge):
    verdict = verdict_on(judge, ROWS, one_block((4096, 1024), pruned=False))
    rejected(verdict, Cause.WRONG_VALUES)
    assert "[hidden case: a size far beyond those shown, BLOCK: 1024" in verdict.line()
    accepted(verdict_on(judge, ROWS, one_block((4096, 1024), pruned=True)))


def test_a_block_that_is_too_short_for_the_longest_shown_size_is_found(judge):
    """Which is none of the smallest, and near the end of its axis."""
    cases = ", ".join(f'{{"M": {m}, "N": {n}}}' for m, n in ((3, 70), (4, 70), (5, 70), (3, 4096)))
    spec = changed(ROWS, ('{"M": 3, "N": 70}', cases))
    verdict = verdict_on(judge, spec, one_block((4096, 2048), pruned=False))
    rejected(verdict, Cause.WRONG_VALUES)
    assert "[M=3, N=4096, BLOCK: 2048" in verdict.line()
    accepted(verdict_on(judge, spec, one_block((4096, 2048), pruned=True)))


def test_a_configuration_s_name_does_not_tell_a_hidden_size(judge):
    telling = changed(
        WRONG_AT_ODD_SIZES,
        (
            "@triton.autotune",
            "def _named(all, at, **more):\n    return [*all[:1], triton.Config({'BLOCK': 64, 'SLIP': "
            "at['n']})]\n\n\n@triton.autotune",
        ),
        ("key=['n']", "key=['n'], prune_configs_by={'early_config_prune': _named}"),
        ("CONFIGS", repr([(64, 0, 4), (32, 0, 4)])),
    )
    verdict = verdict_on(judge, OF_ANY_SIZE, telling)
    rejected(verdict, Cause.WRONG_VALUES)
    assert verdict.failure.hidden
    assert verdict.failure.configuration == ""


def test_a_configuration_that_does_not_fit_is_passed_over_as_an_autotuner_does(judge):
    beyond = tuned((64, 0, 4), (64, 1, 32))
    accepted(verdict_on(judge, SPEC, beyond))
    elsewhere = verdict_on(judge, SPEC, beyond, targets=["gfx942", "sm_90"])  # which has room for as many warps
    rejected(elsewhere, Cause.WRONG_VALUES)
    assert "num_warps: 32" in elsewhere.line()
    assert "sm_90" in elsewhere.line()


def test_so_is_one_that_stands_first(judge):
    verdict = verdict_on(judge, SPEC, tuned((64, 1, 32), (32, 1, 64), (64, 0, 4), (32, 0, 2)))
    accepted(verdict)
    shown = [case.configuration for case in verdict.cases if not case.hidden and not case.values]
    assert "num_warps: 4" in shown[0]
    assert "num_warps: 2" in shown[-2]
    wrong = verdict_on(judge, SPEC, tuned((64, 0, 32), (64, 1, 4), (64, 0, 4)))
    rejected(wrong, Cause.WRONG_VALUES)
    assert "SLIP: 1, num_warps: 4" in wrong.line()


def test_another_target_begins_with_a_configuration_of_its_own(judge):
    verdict = verdict_on(judge, SPEC, tuned((64, 0, 32), (64, 0, 4)), targets=["sm_90", "gfx942"])
    accepted(verdict)
    assert [(code.target, code.kernels[0].num_warps) for code in verdict.code] == [("sm_90", 32), ("gfx942", 4)]


def test_a_kernel_of_which_no_configuration_fits_is_rejected(judge):
    rejected(verdict_on(judge, SPEC, tuned((64, 0, 32), (64, 0, 64))), Cause.OUT_OF_RESOURCES, "threads")


def test_one_whose_static_assertion_fails_is_passed_over_as_well(judge):
    asserting = changed(TUNED, ("SLIP: tl.constexpr):", "SLIP: tl.constexpr):\n    tl.static_assert(SLIP == 0)"))
    for chosen in ([(64, 0, 4), (32, 1, 4)], [(64, 1, 4), (32, 0, 4)]):
        accepted(verdict_on(judge, SPEC, changed(asserting, ("CONFIGS", repr(chosen)))))
    wrong = changed(asserting, ("CONFIGS", repr([(64, 0, 4), (32, 1, 4)])), ("* 2 + 1 + SLIP", "* 3"))
    rejected(verdict_on(judge, SPEC, wrong), Cause.WRONG_VALUES)
    none = changed(asserting, ("CONFIGS", repr([(64, 1, 4), (32, 1, 4)])))
    rejected(verdict_on(judge, SPEC, none), Cause.COMPILE_ERROR)


def test_the_first_call_does_not_launch_what_the_target_cannot(judge):
    """Which would show here: it changes its input."""
    body = "    if SLIP:\n        tl.store(x + at, value + 1, mask=at < n)\n    tl.store(y + at"
    changing = changed(TUNED, ("    tl.store(y + at", body))
    accepted(verdict_on(judge, SPEC, changed(changing, ("CONFIGS", repr([(64, 0, 4), (64, 1, 32)])))))
    possible = changed(changing, ("CONFIGS", repr([(64, 0, 4), (64, 1, 8)])))
    rejected(verdict_on(judge, SPEC, possible), Cause.CHANGED_INPUT)


IN_PLACE = a_spec("def reference(x):\n    x.mul_(2)", more='changes="x",')
IN_PLACE_KERNEL = f"""{IMPORTS}

@triton.autotune([triton.Config({{"BLOCK": b}}) for b in (64, 32)], key=["n"], restore_value=["x"])
@triton.jit
def _twice(x, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


def scale(x):
    _twice[lambda meta: (triton.cdiv(x.numel(), meta["BLOCK"]),)](x, x.numel())
"""


def test_what_an_autotuner_tries_out_must_leave_no_trace(judge):
    accepted(verdict_on(judge, IN_PLACE, IN_PLACE_KERNEL))
    wrong = changed(IN_PLACE_KERNEL, (', restore_value=["x"]', ""))
    verdict = verdict_on(judge, IN_PLACE, wrong)
    rejected(verdict, Cause.WRONG_VALUES)
    assert verdict.failure.configuration == "the first call, which tries them all"
