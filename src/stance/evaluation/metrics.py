"""Scores with 95 % intervals, from gold labels and probabilities. Knows no model and no file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stance.core import Array

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """A value with the 2.5 % and 97.5 % quantiles of its bootstrap distribution."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def f1_scores(confusion: Array) -> Array:
    """F1 of each label from confusions of shape (..., n_labels gold, n_labels predicted).

    F1 = 2 TP / (2 TP + FP + FN); 0 for a label that neither occurs nor is predicted.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _divide(2 * hits, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def occurring(confusion: Array) -> Array:
    """Tell which labels occur in gold or predictions, as 0 and 1 of shape (..., n_labels)."""
    return np.asarray(confusion.sum(axis=-1) + confusion.sum(axis=-2) > 0, dtype=np.float64)


def macro_f1(confusion: Array, counted: Array | None = None) -> Array:
    """Mean F1, shape (...), over the labels that `counted` marks with 1; by itself over those that occur.

    Resamples are counted over the labels of the whole: a mean over fewer labels would jump where a rare one is missing.
    """
    counted = occurring(confusion) if counted is None else counted
    return _divide((f1_scores(confusion) * counted).sum(axis=-1), counted.sum(axis=-1))


def macro_f1_of(gold: Labels, predicted: Labels, n_labels: int) -> float:
    """Return macro-F1 over the labels that occur, 0 to 1; gold and predicted are positions, shape (n_rows,)."""
    return float(macro_f1(confusion_matrix(gold, predicted, n_labels)))


def accuracy(confusion: Array) -> Array:
    """Share of rows on the diagonal, shape (...)."""
    return _divide(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def precision(confusion: Array) -> Array:
    """Of the rows predicted as a label, the share that are; shape (..., n_labels)."""
    return _divide(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-2))


def recall(confusion: Array) -> Array:
    """Of the rows of a label, the share predicted so; shape (..., n_labels)."""
    return _divide(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1))


def confusion_matrix(gold: Labels, predicted: Labels, n_labels: int, weights: Array | None = None) -> Array:
    """Count rows by (gold, predicted), shape (n_labels, n_labels)."""
    cells = np.bincount(gold * n_labels + predicted, weights=weights, minlength=n_labels**2)
    return cells.reshape(n_labels, n_labels).astype(np.float64)


def group_weights(groups: Sequence[int], resamples: int, seed: int = 0) -> Array:
    """Draw bootstrap weights, shape (resamples, n_rows): whole groups with replacement.

    Rows of one sentence or contrast set are not independent; resampling groups keeps the
    intervals honest (cluster bootstrap, Davison & Hinkley 1997, section 3.8).
    """
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(number.max()) + 1
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=resamples)
    return draws[:, number].astype(np.float64)


def with_interval(value: float, resampled: Array) -> Score:
    """Attach the 95 % percentile interval of `resampled`, shape (resamples,)."""
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Score(float(value), float(low), float(high))


def score_table(gold: Labels, probabilities: Array, labels: Sequence[str], weights: Array) -> dict[str, Score]:
    """Return accuracy, macro-F1, and precision, recall and F1 of each label, with intervals.

    Args:
        gold: Shape (n_rows,).
        probabilities: Shape (n_rows, n_labels).
        labels: Their names.
        weights: Bootstrap weights of group_weights, shape (resamples, n_rows).
    """
    n_labels, predicted = len(labels), probabilities.argmax(axis=1)
    whole = confusion_matrix(gold, predicted, n_labels)
    drawn = np.stack([confusion_matrix(gold, predicted, n_labels, w) for w in weights])
    table = {
        "accuracy": with_interval(float(accuracy(whole)), accuracy(drawn)),
        "macro_f1": with_interval(float(macro_f1(whole)), macro_f1(drawn, occurring(whole))),
    }
    measures: dict[str, Callable[[Array], Array]] = {"f1": f1_scores, "precision": precision, "recall": recall}
    for name, measure in measures.items():
        value, spread = measure(whole), measure(drawn)
        for index, label in enumerate(labels):
            table[f"{name}/{label}"] = with_interval(float(value[index]), spread[:, index])
    return table | _probability_scores(gold, probabilities, weights)


def _probability_scores(gold: Labels, probabilities: Array, weights: Array) -> dict[str, Score]:
    """Brier score (0 to 2), log loss in nats, and expected calibration error (0 to 1)."""
    hot = np.eye(probabilities.shape[1])[gold]
    brier = ((probabilities - hot) ** 2).sum(axis=1)
    loss = -np.log(np.clip(probabilities[np.arange(len(gold)), gold], 1e-12, 1))
    table = {}
    for name, values in (("brier", brier), ("log_loss", loss)):
        table[name] = with_interval(float(values.mean()), weights @ values / weights.sum(axis=1))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == gold
    drawn = np.array([calibration_error(confidence, right, w) for w in weights])
    table["ece"] = with_interval(calibration_error(confidence, right), drawn)
    return table


def reliability_bins(confidence: Array, right: Array, weights: Array | None = None, bins: int = 10) -> Array:
    """Rows of (mean confidence, accuracy, weight) for equal-width bins, shape (bins, 3)."""
    weights = np.ones(len(confidence)) if weights is None else weights
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    total = np.bincount(which, weights, minlength=bins)
    mean = _divide(np.bincount(which, weights * confidence, minlength=bins), total)
    hit = _divide(np.bincount(which, weights * right, minlength=bins), total)
    return np.stack([mean, hit, total], axis=1)


def calibration_error(confidence: Array, right: Array, weights: Array | None = None) -> float:
    """Expected calibration error over ten bins (Guo et al. 2017, equation 3), 0 to 1."""
    table = reliability_bins(confidence, right, weights)
    return float(_divide((np.abs(table[:, 0] - table[:, 1]) * table[:, 2]).sum(), table[:, 2].sum()))


def risk_coverage(confidence: Array, right: Array) -> Array:
    """Rows of (coverage, error rate) when only the most confident rows are answered, shape (n_rows, 2)."""
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return np.stack([answered / len(order), np.cumsum(~right.astype(bool)[order]) / answered], axis=1)


def _divide(above: npt.ArrayLike, below: npt.ArrayLike) -> Array:
    top, bottom = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
