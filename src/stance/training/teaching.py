"""What a network learns from others: their mean answer on the training rows, mixed with the gold labels."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from stance.atomic import file_hash
from stance.core import Array, Example, LabelSet
from stance.errors import ConfigError
from stance.inference.bundle import MANIFEST, find_bundle
from stance.inference.predictor import load_predictor
from stance.settings import TrainSettings


def taught(examples: Sequence[Example], labels: LabelSet, settings: TrainSettings) -> Array | None:
    """Return what to learn for each row, shape (n_examples, n_labels), each row summing to 1; None without teachers.

    Knowledge distillation (Hinton et al. 2015) at temperature 1: (1 - w) times the gold label plus w times the mean
    probabilities of the teachers, w being train.teacher_weight.

    Raises:
        ConfigError: A teacher answers other labels, or the loss has no use for shares.
        ModelError: A teacher is no sound bundle.
    """
    if not settings.teachers:
        return None
    if settings.imbalance == "focal":
        raise ConfigError("train.teachers: the focal loss can't learn from them. Set train.imbalance=none or weights")
    answers = [_answers(name, examples, labels) for name in settings.teachers]
    gold = np.eye(len(labels))[labels.indices(examples)]
    mean: Array = np.mean(answers, axis=0)
    return (1 - settings.teacher_weight) * gold + settings.teacher_weight * mean


def teacher_digests(settings: TrainSettings) -> list[str]:
    """Return the SHA-256 of each teacher's manifest, which holds those of its files."""
    return [file_hash(find_bundle(name) / MANIFEST) for name in settings.teachers]


def _answers(name: str, examples: Sequence[Example], labels: LabelSet) -> Array:
    teacher = load_predictor(name)
    if teacher.labels.names != labels.names:
        raise ConfigError(
            f"train.teachers: {name} answers {', '.join(teacher.labels.names)}; expected {', '.join(labels.names)}"
        )
    told = tqdm(examples, desc=f"asking {name}", unit=" rows", mininterval=1, disable=None)
    return np.array([list(answer.probabilities.values()) for answer in teacher.predict_many(told)])
