"""Rows that belong together stay together, and every row lands once."""

from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stance.core import Example, LabelSet
from stance.data.splits import PARTS, Splits, join_groups, split_examples
from stance.errors import DataError
from stance.settings import SplitSettings

LABELS = LabelSet(("accept", "refuse", "none"))
BY_GROUP = SplitSettings(by="group", dev=0.2, test=0.2, seed=0)
BY_TIME = SplitSettings(by="time", dev=0.2, test=0.2, seed=0)
BY_FILE = SplitSettings(by="file", dev=0.2, test=0.2, seed=0)

rows = st.lists(st.tuples(st.sampled_from(LABELS.names), st.integers(0, 60)), min_size=40, max_size=120)


def make(pairs: list[tuple[str, int]]) -> list[Example]:
    return [Example(f"Text {i}.", label=label, group=f"g{g}") for i, (label, g) in enumerate(pairs)]


def land_once(splits: Splits, examples: list[Example]) -> bool:
    return Counter(e.text for part in splits.parts().values() for e in part) == Counter(e.text for e in examples)


@settings(max_examples=40)
@given(rows, st.integers(0, 99))
def test_splits_groups_never_part_and_every_row_lands_once(pairs: list[tuple[str, int]], seed: int) -> None:
    examples = make(pairs)
    assume(len({g for _, g in pairs}) >= 12)
    splits = split_examples(examples, LABELS, SplitSettings(by="group", dev=0.2, test=0.2, seed=seed))
    assert land_once(splits, examples)
    groups = [{e.group for e in part} for part in splits.parts().values()]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


@settings(max_examples=30)
@given(st.lists(st.sampled_from(LABELS.names), min_size=60, max_size=150), st.integers(0, 99))
def test_splits_meet_the_shares_of_rows_and_labels(names: list[str], seed: int) -> None:
    examples = make([(name, i) for i, name in enumerate(names)])
    splits = split_examples(examples, LABELS, SplitSettings(by="group", dev=0.2, test=0.2, seed=seed))
    for share, part in zip((0.6, 0.2, 0.2), splits.parts().values(), strict=True):
        got = Counter(e.label for e in part)
        assert all(abs(got[label] - share * names.count(label)) <= 2 for label in LABELS.names)


def test_splits_near_duplicates_and_equal_texts_stay_together() -> None:
    examples = make([(LABELS.names[i % 3], i) for i in range(60)])
    examples += [Example(e.text.upper(), label=e.label) for e in examples[:20]]
    splits = split_examples(examples, LABELS, BY_GROUP, [(0, 30), (1, 31)])
    home = {e.text: name for name, part in splits.parts().items() for e in part}
    assert all(home[e.text] == home[e.text.upper()] for e in examples[:20])
    assert home["Text 0."] == home["Text 30."] and home["Text 1."] == home["Text 31."]


def test_splits_are_the_same_for_a_seed_and_others_for_another() -> None:
    examples = make([(LABELS.names[i % 3], i) for i in range(60)])
    other = SplitSettings(by="group", dev=0.2, test=0.2, seed=1)
    assert split_examples(examples, LABELS, BY_GROUP) == split_examples(examples, LABELS, BY_GROUP)
    assert split_examples(examples, LABELS, BY_GROUP) != split_examples(examples, LABELS, other)


def test_splits_by_time_train_on_the_oldest_and_keep_days_whole() -> None:
    examples = [Example(f"Text {i}.", label="none", date=f"2024-01-{1 + i * 7 % 20:02d}") for i in range(60)]
    splits = split_examples(examples, LABELS, BY_TIME)
    days = [[e.date for e in part] for part in splits.parts().values()]
    assert land_once(splits, examples)
    assert max(days[0]) < min(days[1]) <= max(days[1]) < min(days[2])  # type: ignore[type-var]
    assert [len(part) for part in days] == [36, 12, 12]


def test_splits_by_file_follow_the_column() -> None:
    examples = [Example(f"Text {i}.", label="none", split=PARTS[i % 3]) for i in range(9)]
    splits = split_examples(examples, LABELS, BY_FILE)
    assert [{e.split for e in part} for part in splits.parts().values()] == [{name} for name in PARTS]
    assert land_once(splits, examples)


def test_splits_by_file_draw_dev_from_train_where_there_is_none() -> None:
    examples = [
        Example(f"Text {i}.", label="none", split="test" if i < 9 else "train", group=f"g{i // 2}") for i in range(49)
    ]
    splits = split_examples(examples, LABELS, BY_FILE)
    assert land_once(splits, examples)
    assert splits.test == examples[:9] and len(splits.dev) == pytest.approx(8, abs=2)
    assert not {e.group for e in splits.dev} & {e.group for e in splits.train}


def test_splits_join_chains_of_text_and_group() -> None:
    chain = [Example("a", group="1"), Example("b", group="1"), Example("B "), Example("c"), Example("d", group="2")]
    numbers = join_groups(chain, [(2, 3)])
    assert len(set(numbers[:4])) == 1 and numbers[4] != numbers[0]


@pytest.mark.parametrize(
    ("examples", "way", "problem"),
    [
        (make([("none", 0), ("none", 1), ("none", 1)]), BY_GROUP, "2 groups of rows; expected at least 3"),
        (
            make([("none", i) for i in range(9)]),
            SplitSettings(by="group", dev=0.5, test=0.5, seed=0),
            "nothing to train",
        ),
        (make([("none", 0)] * 3), BY_TIME, "3 rows have None for date; expected a value. Set data.columns.date"),
        ([Example("x", label="none", date="2024-01-01")] * 9, BY_TIME, "no rows for train, dev"),
        (
            [Example("x", label="none", split="valid")],
            BY_FILE,
            "1 rows have 'valid' for split; expected train, dev, test",
        ),
        ([Example(f"{i}", label="none", split="train") for i in range(9)], BY_FILE, "no rows for test among 9 rows"),
        ([Example("x", label="none", split="dev")], BY_FILE, "no rows for train, test among 1 rows"),
        (make([("wrong", i) for i in range(9)]), BY_GROUP, "label 'wrong' is not one of"),
    ],
)
def test_splits_that_cant_be_made_say_why(examples: list[Example], way: SplitSettings, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        split_examples(examples, LABELS, way)
