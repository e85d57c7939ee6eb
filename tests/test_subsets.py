"""Harder questions never leak what they leave out."""

from collections import Counter

import pytest

from stance.core import Example, LabelSet
from stance.data.splits import Splits
from stance.data.subsets import cross_target, few_shot, hide, leave_out, repeat, sample, values_to_leave_out
from stance.errors import ConfigError, DataError

LABELS = LabelSet(("pro", "con"))
ROWS = [
    Example(f"Row {i}.", f"target {i % 3}", "Kenya", LABELS.names[i % 2], slices={"genre": ("news", f"g{i % 4}")})
    for i in range(60)
]
SPLITS = Splits(ROWS[:36], ROWS[36:48], ROWS[48:])


@pytest.mark.parametrize("field", ["target", "holder"])
def test_subsets_hide_takes_the_field_from_every_part(field: str) -> None:
    hidden = hide(SPLITS, field)
    assert all(getattr(e, field) is None for part in hidden.parts().values() for e in part)
    assert [e.label for e in hidden.test] == [e.label for e in SPLITS.test]


def test_subsets_few_shot_takes_as_many_of_each_label_nested_and_by_seed() -> None:
    small, large = (few_shot(SPLITS, LABELS, count, 1) for count in (2, 8))
    assert Counter(e.label for e in small.train) == {"pro": 2, "con": 2}
    assert Counter(e.label for e in large.dev) == {"pro": 6, "con": 6}, "dev has no more"
    assert {e.text for e in small.train} < {e.text for e in large.train} and small.test == SPLITS.test
    assert few_shot(SPLITS, LABELS, 2, 1) == small != few_shot(SPLITS, LABELS, 2, 2)


def test_subsets_few_shot_of_more_than_there_is_is_a_sentence() -> None:
    with pytest.raises(DataError, match=r"few_shot: got 20, but of the training rows 'pro' has 18, 'con' has 18"):
        few_shot(SPLITS, LABELS, 20, 1)


def test_subsets_repeat_reaches_the_least_number_of_rows() -> None:
    assert len(repeat(ROWS[:7], 20)) == 21 and repeat(ROWS[:7], 0) == ROWS[:7]


@pytest.mark.parametrize(("column", "value"), [("target", "target 1"), ("genre", "g2")])
def test_subsets_leave_out_never_trains_on_the_value(column: str, value: str) -> None:
    part = leave_out(SPLITS, column, value)
    has = [value in (e.target or "", *e.slices["genre"]) for e in [*part.train, *part.dev]]
    assert has and not any(has)
    assert part.test and all(value in (e.target or "", *e.slices["genre"]) for e in part.test)


def test_subsets_leave_out_takes_the_values_with_most_test_rows() -> None:
    assert values_to_leave_out(SPLITS, "target", 2) == ["target 0", "target 1"]
    assert values_to_leave_out(SPLITS, "genre", 1) == ["news"]


def test_subsets_leave_out_on_data_without_the_column_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"leave_out: no test row has a target; expected .*\(genre\)"):
        values_to_leave_out(hide(SPLITS, "target"), "target", 3)
    apart = Splits([ROWS[0]], [ROWS[0]], [ROWS[1]])
    with pytest.raises(DataError, match="no target of test occurs in train"):
        values_to_leave_out(apart, "target", 3)
    with pytest.raises(DataError, match=r"leave_out: without genre 'news': no rows are left for train, dev"):
        leave_out(SPLITS, "genre", "news")


def test_subsets_cross_target_trains_on_one_and_tests_on_the_other() -> None:
    part = cross_target(SPLITS, "target 0 > target 2")
    assert {e.target for e in [*part.train, *part.dev]} == {"target 0"}
    assert {e.target for e in part.test} == {"target 2"}


@pytest.mark.parametrize("pair", ["target 0", "a>", ">a", "target 0>target 0"])
def test_subsets_cross_target_must_be_two_targets(pair: str) -> None:
    with pytest.raises(ConfigError, match="expected two targets"):
        cross_target(SPLITS, pair)


def test_subsets_cross_target_of_an_unknown_target_names_those_there_are() -> None:
    with pytest.raises(DataError, match=r"no rows are left for test; .*'target 0'"):
        cross_target(SPLITS, "target 0>taxes")


def test_subsets_sample_keeps_the_order() -> None:
    found = sample(range(100), 10)
    assert len(found) == 10 and found == sorted(found) and found[-1] > 50
    assert sample([3, 1, 2], 1000) == [3, 1, 2]
