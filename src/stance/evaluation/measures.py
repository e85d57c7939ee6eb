"""A data set's own measures, as its field defines them: which labels count, over which rows, averaged how."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from stance.core import Array, Example, LabelSet
from stance.evaluation.metrics import Labels, accuracy, confusion_matrix, f1_scores, macro_f1
from stance.settings import MeasureSettings


def measure_all(
    measures: Mapping[str, MeasureSettings],
    examples: Sequence[Example],
    labels: LabelSet,
    predicted: Labels,
    weights: Array | None = None,
) -> dict[str, float]:
    """Return every measure of a data set, 0 to 1, in order; the first is its main one.

    Args:
        measures: Name -> what is measured.
        examples: Labelled, n_examples.
        labels: The label set.
        predicted: Positions of the predicted labels, shape (n_examples,).
        weights: How often each row counts, shape (n_examples,); None: once.
    """
    gold = labels.indices(examples)
    weights = np.ones(len(gold)) if weights is None else weights
    return {name: _measure(settings, examples, labels, gold, predicted, weights) for name, settings in measures.items()}


def _measure(
    settings: MeasureSettings,
    examples: Sequence[Example],
    labels: LabelSet,
    gold: Labels,
    predicted: Labels,
    weights: Array,
) -> float:
    names = list(dict.fromkeys(settings.merge.get(name, name) for name in labels.names))
    merged = np.array([names.index(settings.merge.get(name, name)) for name in labels.names])
    counted = [names.index(name) for name in settings.labels]
    scores = []
    for rows in _row_sets(settings, examples):
        confusion = confusion_matrix(merged[gold[rows]], merged[predicted[rows]], len(names), weights[rows])
        if settings.kind == "accuracy":
            scores.append(accuracy(confusion))
        else:
            scores.append(f1_scores(confusion)[counted].mean() if counted else macro_f1(confusion))
    return float(np.mean(scores)) if scores else 0.0


def _row_sets(settings: MeasureSettings, examples: Sequence[Example]) -> list[npt.NDArray[np.int64]]:
    """Return the rows to score: all, those of one value of a column, or one set for each of its values."""
    if settings.by is None:
        return [np.arange(len(examples))]
    rows: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        values = (example.target or "",) if settings.by == "target" else example.slices.get(settings.by, ())
        for value in values:
            rows.setdefault(value, []).append(index)
    kept = rows.values() if settings.value is None else [rows.get(settings.value, [])]
    return [np.array(found, dtype=np.int64) for found in kept if found]
