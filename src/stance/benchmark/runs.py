"""Runs one system with one seed, or takes what an earlier, equal run left in the cache."""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from stance.atomic import whole_file
from stance.benchmark.questions import Question
from stance.core import Classifier, Example
from stance.data.prepared import rows_digest
from stance.data.splits import Splits
from stance.data.subsets import hide
from stance.evaluation.measures import has_rows, measure_all
from stance.evaluation.metrics import Labels
from stance.training.finetuning import OnLog
from stance.training.systems import NETWORKS, Recipe, fit

OURS = Path(__file__).parents[1]
DECIDING = (
    *("training/*.py", "text.py", "encoding.py", "network.py", "encoders.py"),
    *("data/augment.py", "states.py", "states.csv"),
)
"""Our files on which a run depends, besides its settings."""
PACKAGES = ("torch", "transformers", "tokenizers", "scikit-learn", "setfit")


@cache
def code_digest() -> str:
    """Hash our files and the versions of the packages that decide what a run gives; another digest trains anew."""
    found = hashlib.sha256(" ".join(map(_version, PACKAGES)).encode())
    for file in sorted(file for pattern in DECIDING for file in OURS.glob(pattern)):
        found.update(file.read_bytes())
    return found.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


@dataclass(frozen=True)
class Outcome:
    """What one run gave.

    Attributes:
        predicted: Positions of the labels predicted for the test rows.
        dev: The main measure on dev, 0 to 1, for choosing among recipes; None where no dev row counts for it.
        seconds: How long fitting took.
        cached: Whether the run was done before.
    """

    predicted: Labels
    dev: float | None
    seconds: float
    cached: bool


class Runner:
    """Runs systems by one recipe and keeps every finished run whole in the folder `cache`."""

    def __init__(self, recipe: Recipe, cache: Path) -> None:
        self._recipe, self._cache = recipe, cache
        self._digests: dict[tuple[str, str, int], str] = {}

    def run(self, question: Question, system: str, seed: int, on_log: OnLog) -> Outcome:
        """Fit `system` on the rows of `question`, without the field that it must not see, and predict test."""
        splits = visible(question.splits(seed), system)
        key = self._key(question, splits, system, seed)
        found = self._read(key, len(splits.test))
        if found:
            return found
        checkpoint = self._cache / f".training-{key[:16]}"
        started = time.perf_counter()
        options = {"seed": seed, "least_steps": question.least_steps}
        try:
            fitted = fit(system, splits, self._recipe, checkpoint=checkpoint, on_log=on_log, **options)
        finally:
            shutil.rmtree(checkpoint, ignore_errors=True)
        seconds = time.perf_counter() - started
        outcome = Outcome(
            fitted.predict_proba(splits.test).argmax(axis=1), self._dev(fitted, splits.dev), seconds, False
        )
        self._write(key, outcome, {"system": system, "seed": seed, "question": question.name})
        return outcome

    def _dev(self, fitted: Classifier, dev: Sequence[Example]) -> float | None:
        main, settings = next(iter(self._recipe.job.data.measures.items()))
        if not has_rows(settings, dev):
            return None
        predicted = fitted.predict_proba(dev).argmax(axis=1)
        return measure_all({main: settings}, dev, self._recipe.labels, predicted)[main]

    def _key(self, question: Question, splits: Splits, system: str, seed: int) -> str:
        """Hash all that the run depends on: code, rows, settings, seed."""
        rows = (question.name, str(NETWORKS.get(system)), seed if question.varies else 0)
        if rows not in self._digests:
            self._digests[rows] = "".join(map(rows_digest, splits.parts().values()))
        whole = [code_digest(), self._digests[rows], system, seed, question.least_steps, self._recipe.of(system)]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def _read(self, key: str, n_rows: int) -> Outcome | None:
        """Return the run of that key, or None if there is none or its file is damaged."""
        names = self._recipe.labels
        try:
            kept = json.loads((self._cache / f"{key}.json").read_text("utf-8"))
            predicted = np.array([names.names.index(name) for name in kept["predicted"]], dtype=np.int64)
            found = Outcome(predicted, kept["dev"], float(kept["seconds"]), True)
            return found if len(predicted) == n_rows else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, key: str, outcome: Outcome, what: dict[str, object]) -> None:
        names = [self._recipe.labels.names[i] for i in outcome.predicted]
        kept = what | {"seconds": outcome.seconds, "dev": outcome.dev, "predicted": names}
        kept |= {"settings": self._recipe.of(str(what["system"]))}
        with whole_file(self._cache / f"{key}.json") as draft:
            draft.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")


def visible(splits: Splits, system: str) -> Splits:
    """Return the rows as `system` may see them."""
    field = NETWORKS.get(system)
    return hide(splits, field) if field else splits
