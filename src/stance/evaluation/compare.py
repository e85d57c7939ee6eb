"""Compares systems over seeds on the same test rows: means, intervals and paired tests. Knows no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stance.core import Array, Example, LabelSet
from stance.evaluation.measures import measure_all, measure_resampled
from stance.evaluation.metrics import Labels, group_weights
from stance.evaluation.report import group_numbers
from stance.settings import MeasureSettings

Interval = tuple[float, float]


@dataclass(frozen=True)
class Runs:
    """What the runs of one system predicted, positions of shape (n_runs, n_rows), their mean time and dev score."""

    predictions: Labels
    seconds: float
    dev: float | None = None


@dataclass(frozen=True)
class Measured:
    """One measure of one system.

    Attributes:
        mean: Over the runs.
        each: The value of each run.
        over_seeds: 95 % interval of the mean as seeds vary (Student's t); None for a single run.
        over_rows: 95 % interval of the mean as test rows vary (bootstrap of groups).
    """

    mean: float
    each: tuple[float, ...]
    over_seeds: Interval | None
    over_rows: Interval

    def __str__(self) -> str:
        seeds = "{:.3f}, {:.3f}".format(*self.over_seeds) if self.over_seeds else "–"
        return f"{self.mean:.3f} [{seeds}; {self.over_rows[0]:.3f}, {self.over_rows[1]:.3f}]"


@dataclass(frozen=True)
class Difference:
    """How far the first system lies above another in the main measure, with 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@dataclass(frozen=True)
class Compared:
    """One line of the table: a system, its main measure on dev, all on test, and the first system's lead over it."""

    system: str
    seconds: float
    dev: float | None
    measures: Mapping[str, Measured]
    lead: Difference | None

    @property
    def runs(self) -> int:
        """How many trainings stand behind the means."""
        return len(next(iter(self.measures.values())).each)


def compare(
    systems: Mapping[str, Runs],
    examples: Sequence[Example],
    labels: LabelSet,
    measures: Mapping[str, MeasureSettings],
    resamples: int,
) -> list[Compared]:
    """Measure every system and test the first against each other one.

    Args:
        systems: Name -> what its runs predicted for `examples`; the first is the one to defend.
        examples: Labelled test rows.
        labels: The label set.
        measures: The data set's own; the first is the main one, on which the test is made.
        resamples: Bootstrap resamples.
    """
    weights = group_weights(group_numbers(examples), resamples)
    main = next(iter(measures))
    lines: list[Compared] = []
    first: tuple[Array, Array] | None = None
    for name, runs in systems.items():
        values = [measure_all(measures, examples, labels, run) for run in runs.predictions]
        drawn = [measure_resampled(measures, examples, labels, run, weights) for run in runs.predictions]
        measured = {
            key: _measured(np.array([v[key] for v in values]), np.stack([d[key] for d in drawn], axis=1))
            for key in measures
        }
        mine = np.array(measured[main].each), np.stack([d[main] for d in drawn], axis=1)
        lead = paired_test(*first, *mine) if first else None
        lines.append(Compared(name, runs.seconds, runs.dev, measured, lead))
        first = first or mine
    return lines


def _measured(values: Array, drawn: Array) -> Measured:
    """Take the values of the runs, shape (n_runs,), and of their resamples, shape (resamples, n_runs)."""
    low, high = np.quantile(drawn.mean(axis=1), [0.025, 0.975])
    each = tuple(map(float, values))
    return Measured(float(values.mean()), each, seed_interval(values), (float(low), float(high)))


def seed_interval(values: Array) -> Interval | None:
    """Return the 95 % interval of the mean of `values`, 0 to 1, by Student's t, or None for fewer than two."""
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return None
    half = float(t.ppf(0.975, n - 1)) * float(values.std(ddof=1)) / np.sqrt(n)
    return max(0.0, float(values.mean() - half)), min(1.0, float(values.mean() + half))


def paired_test(one: Array, drawn_one: Array, other: Array, drawn_other: Array) -> Difference:
    """Test whether two systems differ, by a paired bootstrap over test groups and over the seeds of each.

    Each resample draws groups of rows, the same for both systems, and seeds, for each system its
    own; what the seeds add is widened by sqrt(n / (n - 1)), since n values of their own mean seem
    closer than they are. The p value is the share of resamples that lie as far from the difference
    as 0 does (Davison & Hinkley 1997, section 4.4), one resample added to both counts.

    Args:
        one: The measure of each run of the first system, shape (n_runs,).
        drawn_one: The same in each resample of the rows, shape (resamples, n_runs).
        other: As `one` for the other system; the number of runs may differ.
        drawn_other: As `drawn_one`.
    """
    rng = np.random.default_rng(0)
    value = float(one.mean() - other.mean())
    drawn = _with_seeds(drawn_one, rng) - _with_seeds(drawn_other, rng)
    low, high = np.quantile(drawn, [0.025, 0.975])
    far = np.abs(drawn - value) >= abs(value) - 1e-12
    return Difference(value, float(low), float(high), float((1 + far.sum()) / (1 + len(far))))


def _with_seeds(drawn: Array, rng: np.random.Generator) -> Array:
    """Average over runs drawn with replacement, shape (resamples,)."""
    resamples, n = drawn.shape
    mean: Array = drawn.mean(axis=1)
    if n == 1:
        return mean
    chosen = np.take_along_axis(drawn, rng.integers(n, size=(resamples, n)), axis=1).mean(axis=1)
    return np.asarray(mean + np.sqrt(n / (n - 1)) * (chosen - mean))
