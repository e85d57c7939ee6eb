import numpy as np
import pytest

from stance.core import Example, LabelSet
from stance.errors import ConfigError
from stance.evaluation.measures import check_measured, measure_all
from stance.settings import MeasureSettings

LABELS = LabelSet(("favor", "against", "none"))
ROWS = [
    Example("a", target="x", label="favor", slices={"seen": ("0",)}),
    Example("b", target="x", label="against", slices={"seen": ("0",)}),
    Example("c", target="y", label="none", slices={"seen": ("1",)}),
    Example("d", target="y", label="favor", slices={"seen": ("1",)}),
]
PREDICTED = np.array([0, 1, 2, 1])


def score(**changes: object) -> float:
    plain = {"kind": "macro_f1", "labels": [], "by": None, "value": None, "merge": {}}
    return measure_all({"m": MeasureSettings(**plain | changes)}, ROWS, LABELS, PREDICTED)["m"]  # type: ignore[arg-type]


def test_measures_macro_f1_averages_all_labels() -> None:
    assert score() == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def test_measures_labels_restrict_the_mean_but_not_the_rows() -> None:
    assert score(labels=["favor", "against"]) == pytest.approx(2 / 3)


def test_measures_by_target_is_the_mean_over_targets() -> None:
    assert score(kind="accuracy", by="target") == pytest.approx((1 + 0.5) / 2)


def test_measures_value_keeps_one_value_of_a_column() -> None:
    assert score(kind="accuracy", by="seen", value="1") == pytest.approx(0.5)


def test_measures_merge_makes_labels_coarser() -> None:
    assert score(kind="accuracy", merge={"favor": "side", "against": "side"}) == 1.0


def test_measures_that_no_row_counts_for_are_refused() -> None:
    plain = MeasureSettings(kind="macro_f1", labels=[], by="seen", value="1", merge={})
    check_measured({"m": plain}, ROWS)
    with pytest.raises(ConfigError, match=r"data.measures.m: no test row has '1' in column 'seen'; it has 0\."):
        check_measured({"m": plain}, ROWS[:2])
    with pytest.raises(ConfigError, match="it has nothing there"):
        check_measured({"m": plain}, [Example("e", label="none")])
