"""Teachers: what is learned is their mean answer and the gold label; nonsense is refused in a sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import LABELS, make_rows

from stance.core import Example, LabelSet
from stance.data.splits import Splits
from stance.errors import ConfigError, ModelError
from stance.inference.predictor import load_predictor
from stance.line import Trained
from stance.settings import TrainJob, TrainSettings
from stance.training.finetuning import LabelTask
from stance.training.teaching import taught
from stance.training.tokenizer import load_tokenizer

LABEL_SET = LabelSet(LABELS)
ROWS = [Example(row["text"], row["target"], row["holder"], row["label"]) for row in make_rows(20)]


@pytest.fixture
def settings(job: TrainJob, trained: Trained) -> TrainSettings:
    return replace(job.train, teachers=[str(trained.bundle)], teacher_weight=0.25)


@pytest.fixture
def job(make_job, tmp_path: Path) -> TrainJob:  # type: ignore[no-untyped-def]
    return make_job(tmp_path / "rows.jsonl")


def test_teaching_mixes_gold_and_answers_by_the_weight(settings: TrainSettings, trained: Trained) -> None:
    goals = taught(ROWS, LABEL_SET, settings)
    gold = np.eye(len(LABELS))[LABEL_SET.indices(ROWS)]
    expected = 0.75 * gold + 0.25 * load_predictor(trained.bundle).predict_proba(ROWS)
    assert goals is not None
    assert np.allclose(goals, expected, atol=1e-6)
    assert np.allclose(goals.sum(axis=1), 1)


def test_teaching_is_the_mean_of_teachers(settings: TrainSettings) -> None:
    one, two = (taught(ROWS, LABEL_SET, replace(settings, teachers=settings.teachers * n)) for n in (1, 2))
    assert np.allclose(one, two)
    assert taught(ROWS, LABEL_SET, replace(settings, teachers=[])) is None


def test_teaching_reaches_the_loss_row_by_row(job: TrainJob, settings: TrainSettings) -> None:
    plain = replace(job.train.augment, swap_states=0.0, drop_holder=0.0, drop_target=0.0)
    settings = replace(settings, augment=plain, label_smoothing=0.0)
    goals = np.eye(len(LABELS))[LABEL_SET.indices(ROWS)]
    task = LabelTask(Splits(ROWS, [], []), LABEL_SET, settings, load_tokenizer(job.model), 1)
    for (batch, hard), (other, soft) in zip(task.batches(0, 0), replace(task, goals=goals).batches(0, 0), strict=True):
        assert np.array_equal(batch.ids, other.ids)
        assert torch.equal(soft.argmax(1), hard)
        logits = torch.randn(len(hard), len(LABELS))
        assert torch.allclose(task.loss()(logits, hard), task.loss()(logits, soft))


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"imbalance": "focal"}, ConfigError, "focal loss can't learn from them"),
        ({"teachers": ["no/such"]}, ModelError, "no such bundle folder"),
    ],
)
def test_teaching_refuses_what_cannot_be(
    changes: dict[str, object], error: type[Exception], told: str, settings: TrainSettings
) -> None:
    with pytest.raises(error, match=told):
        taught(ROWS, LABEL_SET, replace(settings, **changes))  # type: ignore[arg-type]


def test_teaching_of_other_labels_is_refused(settings: TrainSettings) -> None:
    with pytest.raises(ConfigError, match=r"answers accept, conditional, .*; expected yes, no"):
        taught([Example("x", label="yes")], LabelSet(("yes", "no")), settings)
