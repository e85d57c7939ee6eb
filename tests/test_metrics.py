"""Scores agree with scikit-learn and with cases computed by hand; intervals are honest."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from stance.evaluation.metrics import (
    accuracy,
    calibration_error,
    confusion_matrix,
    f1_scores,
    group_weights,
    macro_f1,
    precision,
    recall,
    reliability_bins,
    risk_coverage,
    score_table,
    with_interval,
)

N_LABELS = 4
rows = st.lists(st.tuples(st.integers(0, N_LABELS - 1), st.integers(0, N_LABELS - 1)), min_size=1, max_size=60)
NAMES = [f"l{i}" for i in range(N_LABELS)]


@given(rows)
def test_metrics_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    gold, predicted = np.array(pairs).T
    table = confusion_matrix(gold, predicted, N_LABELS)
    given = {"labels": range(N_LABELS), "average": None, "zero_division": 0}
    with warnings.catch_warnings(action="ignore"):
        assert table.tolist() == sk.confusion_matrix(gold, predicted, labels=range(N_LABELS)).tolist()
        assert f1_scores(table) == pytest.approx(sk.f1_score(gold, predicted, **given))
        assert precision(table) == pytest.approx(sk.precision_score(gold, predicted, **given))
        assert recall(table) == pytest.approx(sk.recall_score(gold, predicted, **given))
        assert float(macro_f1(table)) == pytest.approx(sk.f1_score(gold, predicted, average="macro", zero_division=0))
    assert float(accuracy(table)) == pytest.approx(sk.accuracy_score(gold, predicted))


def test_metrics_resamples_without_the_rare_label_are_means_over_all_labels() -> None:
    gold = np.array([0] * 50 + [1])
    table = score_table(gold, np.eye(2)[np.zeros(51, dtype=int)], ["often", "once"], group_weights(range(51), 200))
    assert table["macro_f1"].value == pytest.approx(0.495, abs=1e-3)
    assert table["macro_f1"].high <= 0.5, "1.0 would be the F1 of the frequent label alone"


@given(rows, st.integers(0, 9))
def test_metrics_weights_count_as_repeated_rows(pairs: list[tuple[int, int]], seed: int) -> None:
    gold, predicted = np.array(pairs).T
    times = np.random.default_rng(seed).integers(0, 4, len(gold))
    repeated = confusion_matrix(gold.repeat(times), predicted.repeat(times), N_LABELS)
    assert confusion_matrix(gold, predicted, N_LABELS, times.astype(float)).tolist() == repeated.tolist()


@settings(max_examples=25)
@given(rows, st.integers(0, 9))
def test_metrics_stay_in_range_and_in_their_intervals(pairs: list[tuple[int, int]], seed: int) -> None:
    gold = np.array(pairs)[:, 0]
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(N_LABELS), len(gold))
    table = score_table(gold, probabilities, NAMES, group_weights(range(len(gold)), 30))
    assert {"accuracy", "macro_f1", "brier", "log_loss", "ece"} <= table.keys() and len(table) == 5 + 3 * N_LABELS
    top = {"brier": 2.0, "log_loss": np.inf}
    assert all(0 <= s.low <= s.high <= top.get(name, 1.0) + 1e-9 for name, s in table.items())
    assert all(0 <= s.value <= top.get(name, 1.0) + 1e-9 for name, s in table.items())


def test_metrics_intervals_contain_the_value() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, N_LABELS, 400)
    probabilities = rng.dirichlet(np.ones(N_LABELS), 400) + 0.5 * np.eye(N_LABELS)[gold]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    table = score_table(gold, probabilities, NAMES, group_weights(range(400), 400))
    mean_based = [s for name, s in table.items() if name != "ece"]  # the error of ten bins only grows by resampling
    assert all(s.low < s.value < s.high for s in mean_based)


def test_metrics_brier_and_log_loss_by_hand() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1, 0.0], [0.1, 0.3, 0.6, 0.0]])
    table = score_table(np.array([0, 1]), probabilities, NAMES, group_weights([0, 1], 10))
    assert table["brier"].value == pytest.approx(((0.09 + 0.04 + 0.01) + (0.01 + 0.49 + 0.36)) / 2)
    assert table["log_loss"].value == pytest.approx(-(np.log(0.7) + np.log(0.3)) / 2)
    assert table["log_loss"].value == pytest.approx(sk.log_loss([0, 1], probabilities, labels=range(4)))


def test_metrics_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.91, 0.55, 0.55, 1.0])
    right = np.array([True, True, True, False, False])
    top = 3 / 5 * abs((0.95 + 0.91 + 1.0) / 3 - 2 / 3)
    assert calibration_error(confidence, right) == pytest.approx(top + 2 / 5 * abs(0.55 - 0.5))
    assert reliability_bins(confidence, right)[9] == pytest.approx([(0.95 + 0.91 + 1.0) / 3, 2 / 3, 3])


@pytest.mark.parametrize(("right", "error"), [(True, 0.0), (False, 1.0)])
def test_metrics_calibration_error_of_the_sure(right: bool, error: float) -> None:
    assert calibration_error(np.ones(5), np.full(5, right)) == error


def test_metrics_risk_coverage_by_hand() -> None:
    curve = risk_coverage(np.array([0.6, 0.9, 0.8, 0.7]), np.array([False, True, True, False]))
    assert curve.tolist() == [[0.25, 0.0], [0.5, 0.0], [0.75, pytest.approx(1 / 3)], [1.0, 0.5]]


def test_metrics_groups_are_drawn_whole() -> None:
    groups = [5, 5, 2, 5, 9, 2]
    weights = group_weights(groups, 50)
    assert weights.shape == (50, 6)
    assert (weights[:, [0, 0]] == weights[:, [1, 3]]).all() and (weights[:, 2] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 4]].sum(axis=1) == 3).all()


def test_metrics_groups_widen_the_interval_of_repeated_rows() -> None:
    right = np.random.default_rng(0).random(60) < 0.7
    repeated = right.repeat(5).astype(float)
    spans = []
    for groups in (np.arange(60).repeat(5), np.arange(300)):
        weights = group_weights(groups, 1000)
        score = with_interval(repeated.mean(), weights @ repeated / weights.sum(axis=1))
        spans.append(score.high - score.low)
    assert spans[0] == pytest.approx(spans[1] * np.sqrt(5), rel=0.2)


def test_metrics_weights_are_the_same_for_a_seed() -> None:
    assert (group_weights([1, 2, 3], 9) == group_weights([1, 2, 3], 9)).all()
    assert (group_weights([1, 2, 3], 9) != group_weights([1, 2, 3], 9, seed=1)).any()
