"""A text in the test part of one set is not learned from another."""

from stance.core import Example
from stance.data.crossing import without_crossing
from stance.data.splits import Splits


def rows(*texts: str) -> list[Example]:
    return [Example(text, label="a") for text in texts]


def test_crossing_rows_of_another_test_part_are_left_out_and_named() -> None:
    one = Splits(rows("Yes!", "Keep me.", "Mine"), rows("maybe NOT", "Keep too"), rows("mine"))
    other = Splits(rows("fine"), rows("fine too"), rows("yes", "Maybe, not."))
    kept, taken = without_crossing({"one": one, "other": other}, {})
    assert [e.text for e in kept["one"].train] == ["Keep me.", "Mine"], "the set's own split stays as published"
    assert [e.text for e in kept["one"].dev] == ["Keep too"]
    assert (kept["one"].test, kept["other"]) == (one.test, other)
    assert taken == ["one: left out 2 rows whose text is in the test part of other"]


def test_crossing_sets_that_are_not_learned_are_kept_clear_too() -> None:
    one = Splits(rows("a b", "c d"), rows("e"), rows("f"))
    kept, taken = without_crossing({"one": one}, {"held": Splits(rows("c d"), [], rows("A  B"))})
    assert [e.text for e in kept["one"].train] == ["c d"] and len(taken) == 1 and list(kept) == ["one"]
