"""A model that is asked about labels in words: writes its bundle, and scores it on sets beside the majority."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stance.evaluation.calibration import calibrate
from stance.evaluation.metrics import Labels, accuracy, confusion_matrix, macro_f1
from stance.inference.predictor import load_predictor
from stance.packaging.package import save_tuned
from stance.settings import PretrainJob
from stance.training.baselines import majority
from stance.training.finetuning import FineTuned
from stance.training.hypotheses import hypothesis_logits
from stance.training.multitask import TaskSet


def save_zero_shot(target: Path, job: PretrainJob, sets: Sequence[TaskSet], tuned: FineTuned, device: str) -> None:
    """Write a bundle whose own labels, and calibration, are those of the first set."""
    first = sets[0]
    logits = hypothesis_logits(tuned.network, first.splits.dev, first.definitions, tuned.tokenizer, device)
    fitted = calibrate(logits.double().numpy(), first.labels.indices(first.splits.dev), job.train.abstain_accuracy)
    save_tuned(
        target,
        tuned,
        fitted,
        job.model,
        name=job.output,
        labels=list(first.definitions),
        data={each.name: each.digest for each in sets},
        settings=settings_of(job),
        kind="hypotheses",
        definitions=dict(first.definitions),
    )


def settings_of(job: PretrainJob) -> dict[str, Any]:
    """Return the settings that the result depends on besides the data, without folders of this machine."""
    return {k: v for k, v in asdict(job).items() if k not in ("tracking", "sets", "also", "device")}


def score_zero_shot(bundle: Path, sets: Sequence[TaskSet], held_out: TaskSet | None) -> tuple[str, dict[str, float]]:
    """Score the bundle on the test part of each set: as a Markdown table, and as metrics by name.

    Of a learned set the rows with a target that occurs in no training row are scored apart as well.
    """
    predictor = load_predictor(bundle, backend="torch")
    targets = {_folded(e.target) for each in sets for e in each.splits.train}
    lines = ["| test rows | n | macro-F1 | accuracy | majority macro-F1 | majority accuracy |", "| " + "--- | " * 6]
    scores: dict[str, float] = {}
    for each in [*sets, *([held_out] if held_out else [])]:
        unseen = each is held_out
        parts = {f"{each.name}, labels {'never seen' if unseen else 'seen'}": each.splits.test}
        new = [e for e in each.splits.test if e.target and _folded(e.target) not in targets]
        if not unseen and new:
            parts[f"{each.name}, targets never seen"] = new
        asked = predictor.asking(each.definitions)
        frequent = majority(each.splits.train, each.labels)
        for name, examples in parts.items():
            gold = each.labels.indices(examples)
            guesses = (system.predict_proba(examples).argmax(axis=1) for system in (asked, frequent))
            values = [value for guess in guesses for value in _scores(gold, guess, len(each.labels))]
            lines.append(f"| {name} | {len(gold):,} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
            scores |= {
                f"test/{name.replace(',', '')} macro_f1": values[0],
                f"test/{name.replace(',', '')} accuracy": values[1],
            }
    return "\n".join(lines), scores


def _scores(gold: Labels, guess: Labels, n_labels: int) -> tuple[float, float]:
    confusion = confusion_matrix(gold, guess, n_labels)
    return float(macro_f1(confusion)), float(accuracy(confusion))


def _folded(target: str | None) -> str:
    return " ".join(re.findall(r"\w+", (target or "").lower()))
