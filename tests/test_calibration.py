"""Temperature and threshold, fitted on dev."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance.evaluation.calibration import calibrate, softmax

rows = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.integers(0, 2), min_size=3, max_size=3)), min_size=1, max_size=20
)


@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1), st.floats(0.05, 20))
def test_calibration_softmax_sums_to_one_and_keeps_the_order(logits: list[list[float]], temperature: float) -> None:
    given = np.array(logits)
    got = softmax(given, temperature)
    assert np.allclose(got.sum(axis=1), 1) and (got >= 0).all()
    assert (got[np.arange(len(got)), given.argmax(axis=1)] == got.max(axis=1)).all()


def test_calibration_softmax_by_hand_and_without_side_effect() -> None:
    logits = np.array([[0.0, np.log(3.0)]])
    assert softmax(logits) == pytest.approx(np.array([[0.25, 0.75]]))
    assert softmax(2 * logits, 2.0) == pytest.approx(np.array([[0.25, 0.75]]))
    assert logits.tolist() == [[0.0, np.log(3.0)]]


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_calibration_recovers_a_known_temperature(true: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (5000, 3))
    gold = np.array([rng.choice(3, p=p) for p in softmax(logits, true)])
    assert calibrate(logits, gold, 0.9).temperature == pytest.approx(true, rel=0.1)


def test_calibration_temperature_stays_in_its_range() -> None:
    logits, gold = np.eye(3) * 9, np.arange(3)
    assert calibrate(logits, gold, 0.9).temperature == pytest.approx(0.2)
    assert calibrate(logits, (gold + 1) % 3, 0.9).temperature == pytest.approx(5)


@settings(max_examples=80)
@given(rows, st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_calibration_threshold_is_the_lowest_that_is_right_often_enough(
    pairs: list[tuple[int, list[int]]], asked: float
) -> None:
    gold, logits = np.array([g for g, _ in pairs]), np.array([v for _, v in pairs], dtype=float)
    fitted = calibrate(logits, gold, asked)
    probabilities = softmax(logits, fitted.temperature)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == gold
    good = [c for c in np.unique(confidence) if right[confidence >= c].mean() >= asked]
    if len(good) and good[0] == confidence.min():
        assert fitted.threshold == 0
    elif good:
        assert fitted.threshold == good[0]
    else:
        assert (confidence >= fitted.threshold).sum() >= len(gold) // 2


def test_calibration_threshold_is_the_most_accurate_half_when_none_is_good_enough() -> None:
    logits = np.array([[4.0, 0], [3, 0], [2, 0], [1, 0]])
    fitted = calibrate(logits, np.array([1, 0, 0, 1]), 0.99)
    answered = softmax(logits, fitted.temperature).max(axis=1) >= fitted.threshold
    assert answered.tolist() == [True, True, True, False]
