"""Quality against speed: bundles, a linear model, and both in a row, timed in turn on the same sentences."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stance.core import Array, Example
from stance.cost.part import Part, Say, Spread, in_round, median_ratio, shown, spread
from stance.data.prepared import prepare, rows_digest
from stance.data.subsets import sample
from stance.errors import ConfigError
from stance.evaluation.metrics import macro_f1_of
from stance.evaluation.plots import quality
from stance.evaluation.report import markdown_table
from stance.finished import labelled_bundle
from stance.inference.predictor import load_predictor
from stance.line import resolve_data
from stance.settings import SpeedJob
from stance.training.baselines import Tfidf

Ask = Callable[[Sequence[Example]], Array]
"""Examples -> probabilities of shape (n_examples, n_labels)."""
LINEAR = "tfidf+logistic"
HEADS = ["way", "sentences/s", "against the first", "macro-F1", "agreement", "answered by the linear model"]


@dataclass(frozen=True)
class Point:
    """One way on the plane: median speed with [lowest, highest], and how well it answers."""

    way: str
    rate: Spread
    ratio: float
    macro_f1: float
    agreement: float
    linear_share: float


def measure_quality(job: SpeedJob, root: Path, say: Say) -> Part:
    """Measure job.bundle, the further bundles of job.quality, the linear model and the cascades.

    Raises:
        StanceError: A bundle or the data can't be used.
    """
    bundles = _bundles(job, root)
    splits = prepare(resolve_data(job.data, root), job.labels, root=root).splits
    examples = sample(splits.test, job.rows)
    say(f"fitting {LINEAR} on {len(splits.train):,} rows")
    linear = Tfidf(splits.train, job.labels.label_set).predict_proba
    ways: dict[str, Ask] = {name: load_predictor(path).predict_proba for name, path in bundles.items()}
    first, shares = next(iter(ways.values())), dict.fromkeys(ways, 0.0)
    sure_on_dev, sure = (linear(rows).max(axis=1) for rows in (splits.dev, examples))
    for share in job.quality.cascade:
        bar = float(np.quantile(sure_on_dev, 1 - share))
        name = f"linear where sure ({share:.0%} of dev), then the first"
        ways[name], shares[name] = in_turn(linear, first, bar), float(np.mean(sure >= bar))
    points = _points(ways | {LINEAR: linear}, shares | {LINEAR: 1.0}, examples, job, say)
    page = markdown_table(HEADS, [_cells(point) for point in points])
    page += (
        f"\n- {len(examples):,} sentences, {job.rounds} alternating rounds: median [lowest, highest]\n"
        "- The linear model answers where it is surer than it is on all but that share of the dev rows\n"
    )
    numbers = {"rows": [asdict(point) for point in points], "data_digest": rows_digest(examples)}
    metrics = {f"speed/{p.way} {key}": getattr(p, key) for p in points for key in ("ratio", "macro_f1", "agreement")}
    return Part(page, numbers, metrics, quality({p.way: (p.rate[0], p.macro_f1) for p in points}))


def in_turn(quick: Ask, slow: Ask, bar: float) -> Ask:
    """Return the cascade: `quick` answers where its highest probability is at least `bar`, `slow` the rest."""

    def ask(examples: Sequence[Example]) -> Array:
        found = quick(examples)
        unsure = np.flatnonzero(found.max(axis=1) < bar).tolist()
        if unsure:
            found[unsure] = slow([examples[position] for position in unsure])
        return found

    return ask


def _bundles(job: SpeedJob, root: Path) -> dict[str, Path]:
    """Return the folders of the bundles by name, the reference first."""
    folders = [labelled_bundle(name, root, job)[0] for name in (job.bundle, *job.quality.bundles)]
    named = {folder.name: folder for folder in folders}
    if len(named) < len(folders):
        raise ConfigError("quality.bundles: two bundles have the same folder name. Leave one out, or rename one")
    return named


def _points(
    ways: Mapping[str, Ask], shares: Mapping[str, float], examples: Sequence[Example], job: SpeedJob, say: Say
) -> list[Point]:
    """Time every way in each round, in alternating order, and compare its answers with the labels and the first's."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    answers = {}
    for number in range(job.rounds):
        for name in in_round(list(ways), number):
            say(f"round {number + 1} of {job.rounds}: {name}")
            ways[name](examples[:32])
            started = time.perf_counter()
            answers[name] = ways[name](examples).argmax(axis=1)
            rates[name].append(len(examples) / (time.perf_counter() - started))
    gold, first = job.labels.label_set.indices(examples), next(iter(ways))
    return [
        Point(
            way=name,
            rate=spread(rates[name]),
            ratio=median_ratio(rates[name], rates[first]),
            macro_f1=macro_f1_of(gold, answers[name], len(job.labels.names)),
            agreement=float(np.mean(answers[name] == answers[first])),
            linear_share=shares[name],
        )
        for name in ways
    ]


def _cells(point: Point) -> list[str]:
    return [
        point.way,
        shown(point.rate, ",.0f"),
        f"{point.ratio:.2f}",
        f"{point.macro_f1:.3f}",
        f"{point.agreement:.1%}",
        f"{point.linear_share:.0%}",
    ]
