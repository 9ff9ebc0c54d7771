"""What the figures of two configurations say of their order."""

from geak_evaluator.tune import order

GOOD = {"matrix": 8, "full": 0.5, "warps": 4, "load_bits": 128.0, "store_bits": 128.0, "reuse": 64.0}


def test_nothing_to_complain_of_is_nothing():
    assert order.badness(GOOD, dot=True) == 0
    assert order.badness({**GOOD, "full": 1.0, "warps": 8, "reuse": 90.0}, dot=True) == 0


def test_each_figure_counts_in_factors_of_two():
    assert order.badness({**GOOD, "reuse": 16.0}, dot=True) == 2
    assert order.badness({**GOOD, "full": 0.125}, dot=False) == 2
    assert order.badness({**GOOD, "full": 0.125}, dot=True) == 1
    assert order.badness({**GOOD, "load_bits": 32.0}, dot=False) == 1
    assert order.badness({**GOOD, "warps": 1}, dot=False) == 0.5
    assert order.badness({**GOOD, "matrix": 0}, dot=True) > order.badness({**GOOD, "reuse": 8.0}, dot=True)
