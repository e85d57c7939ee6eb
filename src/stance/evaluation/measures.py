"""A data set's own measures, as its field defines them: which labels count, over which rows, averaged how."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from stance.core import Array, Example, LabelSet
from stance.errors import ConfigError
from stance.evaluation.metrics import Labels, accuracy, macro_f1, occurring
from stance.settings import MeasureSettings


def check_measures(measures: Mapping[str, MeasureSettings], labels: LabelSet) -> None:
    """Raise ConfigError for a measure that counts a label which the label set doesn't have."""
    for name, settings in measures.items():
        known = {settings.merge.get(label, label) for label in labels.names}
        unknown = [label for label in settings.labels if label not in known]
        if unknown:
            raise ConfigError(
                f"data.measures.{name}.labels: '{unknown[0]}' is not one of {', '.join(sorted(known))}. "
                "Take the label set of the data set, or other measures"
            )


def has_rows(settings: MeasureSettings, examples: Sequence[Example]) -> bool:
    """Tell whether any of the examples counts for the measure."""
    return bool(_row_sets(settings, examples))


def check_measured(measures: Mapping[str, MeasureSettings], examples: Sequence[Example]) -> None:
    """Raise ConfigError for a measure that none of the examples counts for: it would be 0 whatever is answered."""
    for name, settings in measures.items():
        if not has_rows(settings, examples):
            there = sorted({value for e in examples for value in e.slices.get(settings.by or "", ())})
            raise ConfigError(
                f"data.measures.{name}: no test row has '{settings.value}' in column '{settings.by}'; it has "
                f"{', '.join(there) or 'nothing there'}. Check the file, or choose the measures that it allows"
            )


def measure_all(
    measures: Mapping[str, MeasureSettings],
    examples: Sequence[Example],
    labels: LabelSet,
    predicted: Labels,
) -> dict[str, float]:
    """Return every measure of a data set, 0 to 1, in order; the first is its main one.

    Args:
        measures: Name -> what is measured.
        examples: Labelled, n_examples.
        labels: The label set.
        predicted: Positions of the predicted labels, shape (n_examples,).
    """
    values = measure_resampled(measures, examples, labels, predicted, np.ones((1, len(examples))))
    return {name: float(value[0]) for name, value in values.items()}


def measure_resampled(
    measures: Mapping[str, MeasureSettings],
    examples: Sequence[Example],
    labels: LabelSet,
    predicted: Labels,
    weights: Array,
) -> dict[str, Array]:
    """As measure_all for several weightings at once, shape (resamples, n_examples); values of shape (resamples,)."""
    cells = labels.indices(examples) * len(labels) + predicted
    return {name: _measure(settings, examples, labels, cells, weights) for name, settings in measures.items()}


def _measure(
    settings: MeasureSettings, examples: Sequence[Example], labels: LabelSet, cells: Labels, weights: Array
) -> Array:
    names = list(dict.fromkeys(settings.merge.get(name, name) for name in labels.names))
    merged = np.array([names.index(settings.merge.get(name, name)) for name in labels.names])
    joined = merged[cells // len(labels)] * len(names) + merged[cells % len(labels)]
    chosen = np.isin(names, settings.labels).astype(np.float64)
    total, used = np.zeros(len(weights)), np.zeros(len(weights))
    for rows in _row_sets(settings, examples):
        hot = np.eye(len(names) ** 2)[joined[rows]]
        confusion = (weights[:, rows] @ hot).reshape(-1, len(names), len(names))
        counted = chosen if settings.labels else occurring(hot.sum(axis=0).reshape(len(names), len(names)))
        total += accuracy(confusion) if settings.kind == "accuracy" else macro_f1(confusion, counted)
        used += confusion.any(axis=(1, 2))  # a set of rows that a resample leaves out has no score
    return np.asarray(total / np.maximum(used, 1))


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
