"""The search, on functions whose answer is known."""

from geak_evaluator.tune.search import Search

CHOICES = {"a": (1, 2, 4, 8, 16), "b": (1, 2, 4, 8, 16), "c": (0, 1, 2), "d": (1, 2, 3, 4, 5)}
START = {"a": 1, "b": 1, "c": 0, "d": 1}
BEST = {"a": 8, "b": 2, "c": 1, "d": 5}


def far(values):
    return (float(sum(abs(values[name] - BEST[name]) for name in BEST)),)


def search(choices=CHOICES, limit=100, seed=0, over=lambda: False, admits=lambda values: True):
    found = Search(
        choices,
        evaluate=lambda batch: [far({**START, **one}) for one in batch],
        admits=admits,
        over=over,
        limit=limit,
        seed=seed,
    )
    found.run([{name: START[name] for name in choices}])
    return found.tried


def test_few_are_all_tried():
    assert len(search({"a": CHOICES["a"], "c": CHOICES["c"]}, limit=15)) == 15


def test_of_many_the_best_is_found_within_the_bound():
    tried = search(limit=60)
    assert len(tried) <= 60
    assert min(tried, key=lambda place: tried[place]) == tuple(BEST.values())


def test_a_seed_settles_what_is_tried():
    assert list(search(limit=40)) == list(search(limit=40))
    assert list(search(limit=40)) != list(search(limit=40, seed=1))


def test_it_ends_with_the_time_but_has_tried_what_there_is():
    tried = search(over=lambda: True)
    assert tuple(START.values()) in tried
    assert len(tried) == 1


def test_what_is_not_admitted_is_not_tried_except_to_begin_with():
    tried = search(limit=1000, admits=lambda values: values["a"] > 4)
    assert tuple(START.values()) in tried
    assert {place[0] for place in tried} == {1, 8, 16}
