"""Labels as hypotheses: the loss by hand, what a batch holds, how definitions are reworded."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_multitask import FIVE, ROWS, TWO

from stance.network import new_network
from stance.settings import TrainJob
from stance.training.hypotheses import HypothesisLoss, HypothesisTask, hypothesis_logits, reworded
from stance.training.multitask import Mix
from stance.training.tokenizer import load_tokenizer


@pytest.fixture
def task(make_job: Callable[..., TrainJob]) -> HypothesisTask:
    job = make_job(Path("rows.jsonl"), "train.batch_size=8")
    return HypothesisTask(Mix([FIVE, TWO], 2.0, job.train, seed=3), load_tokenizer(job.model), options=3, reword=0.5)


def test_hypotheses_loss_by_hand() -> None:
    logits = torch.tensor([[2.0], [1.0], [0.5], [0.0], [3.0], [1.0], [-1.0]])
    owners = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    scores = [[2.0, 1.0, 0.5], [0.0, 3.0], [1.0, -1.0]]
    expected = sum(-math.log(math.exp(s[0]) / sum(map(math.exp, s))) for s in scores) / 3
    assert float(HypothesisLoss(0)(logits, owners)) == pytest.approx(expected, rel=1e-5)


def test_hypotheses_a_batch_holds_the_right_label_and_others_of_its_set(task: HypothesisTask) -> None:
    sizes = [np.bincount(owners.numpy()).tolist() for _, owners in task.batches(0, 0)]
    assert len(sizes) == task.steps
    counts = [size for batch in sizes for size in batch]
    assert [counts.count(3), counts.count(2)] == task.mix.counts, "3 of five labels, 2 of two"


def test_hypotheses_the_right_one_comes_first(task: HypothesisTask) -> None:
    plain = replace(task, reword=0.0)
    words = plain._wordings(FIVE.definitions, ROWS[0], np.random.default_rng(0))
    assert words[0] == f"says {ROWS[0].label}" and len(set(words)) == 3
    assert set(words) <= set(FIVE.definitions.values())


def test_hypotheses_batches_depend_on_seed_and_epoch_alone(task: HypothesisTask) -> None:
    first = [b.ids.tolist() for b, _ in task.batches(1, 0)]
    assert [b.ids.tolist() for b, _ in task.batches(1, 2)] == first[2:]
    assert [b.ids.tolist() for b, _ in task.batches(2, 0)] != first


def test_hypotheses_rewordings_are_names_and_phrases() -> None:
    rng = np.random.default_rng(0)
    seen = {reworded("no_conflict", "says no - declines, rules out", rng) for _ in range(100)}
    assert seen == {"no conflict", "says no", "declines", "rules out"}


def test_hypotheses_columns_follow_the_labels(task: HypothesisTask, tiny_encoder: Path) -> None:
    network = new_network(str(tiny_encoder), 1, "mean")
    backwards = dict(reversed(FIVE.definitions.items()))
    one = hypothesis_logits(network, ROWS[:7], FIVE.definitions, task.tokenizer, "cpu")
    other = hypothesis_logits(network, ROWS[:7], backwards, task.tokenizer, "cpu")
    assert one.shape == (7, 5) and torch.allclose(one, other.flip(1), atol=1e-5)
