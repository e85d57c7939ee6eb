"""Several sets in one training: shares by temperature, and heads that don't see each other."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import LABELS, make_rows
from torch import nn

from stance.core import Example
from stance.data.splits import Splits
from stance.network import new_network
from stance.settings import TrainJob
from stance.training.multitask import HeadsLoss, Mix, MultiTask, TaskSet, draw, rows_each
from stance.training.optimisation import loss_function
from stance.training.tokenizer import load_tokenizer

ROWS = [Example(r["text"], r["target"], r["holder"], r["label"]) for r in make_rows(60)]
SIDES = [replace(e, label="pro" if e.label == "accept" else "con") for e in ROWS[:20]]
FIVE = TaskSet("five", {label: f"says {label}" for label in LABELS}, Splits(ROWS[:40], ROWS[40:50], ROWS[50:]))
TWO = TaskSet("two", {"pro": "is for it", "con": "is against it"}, Splits(SIDES[:10], SIDES[10:], []))


@pytest.fixture
def task(make_job: Callable[..., TrainJob]) -> MultiTask:
    job = make_job(Path("rows.jsonl"), "train.batch_size=8", "train.augment.drop_holder=0.5")
    return MultiTask(Mix([FIVE, TWO], 2.0, job.train, seed=3), load_tokenizer(job.model))


@pytest.mark.parametrize(
    ("temperature", "counts"), [(1, [400, 100]), (2, [333, 167]), (1000, [250, 250])]
)  # sizes 400 and 100: roots 20 and 10
def test_multitask_shares_follow_the_temperature(temperature: float, counts: list[int]) -> None:
    assert rows_each([400, 100], temperature) == pytest.approx(counts, abs=1)


def test_multitask_a_tiny_set_is_never_left_out() -> None:
    assert rows_each([100_000, 1], 1) == [100_000, 1]
    assert min(rows_each([10**9, 1], 1)) == 1


@pytest.mark.parametrize(("count", "times"), [(3, {0, 1}), (5, {1}), (12, {2, 3})])
def test_multitask_draws_every_row_about_as_often(count: int, times: set[int]) -> None:
    drawn = draw(5, count, np.random.default_rng(0))
    assert len(drawn) == count
    assert {Counter(drawn.tolist())[p] for p in range(5)} == times


@pytest.mark.parametrize("imbalance", ["none", "weights", "focal"])
def test_multitask_masked_heads_equal_separate_heads(task: MultiTask, imbalance: str) -> None:
    mix = replace(task.mix, settings=replace(task.mix.settings, imbalance=imbalance))
    loss = replace(task, mix=mix).loss()
    joined = nn.Linear(6, 7)
    heads = [nn.Linear(6, 5), nn.Linear(6, 2)]
    with torch.no_grad():
        for head, column in zip(heads, task.columns, strict=True):
            head.weight.copy_(joined.weight[column])
            head.bias.copy_(joined.bias[column])
    vectors, gold = torch.randn(6, 6), torch.tensor([0, 5, 4, 6, 6, 2])
    together = loss(joined(vectors), gold)
    together.backward()
    mine = [gold < 5, gold >= 5]
    apart = []
    for rows, each, head, start in zip(mine, (FIVE, TWO), heads, (0, 5), strict=True):
        own = loss_function(each.splits.train, each.labels, mix.settings)
        apart.append(rows.sum() / 6 * own(head(vectors[rows]), gold[rows] - start))
    sum(apart).backward()  # type: ignore[union-attr]
    assert together.item() == pytest.approx(sum(a.item() for a in apart), rel=1e-5)
    for head, column in zip(heads, task.columns, strict=True):
        assert torch.allclose(joined.weight.grad[column], head.weight.grad, atol=1e-6)  # type: ignore[index, arg-type]


def test_multitask_a_set_that_is_not_in_the_batch_learns_nothing() -> None:
    logits = torch.randn(3, 7, requires_grad=True)
    HeadsLoss([nn.CrossEntropyLoss(), nn.CrossEntropyLoss()], [slice(0, 5), slice(5, 7)])(
        logits, torch.tensor([0, 4, 1])
    ).backward()
    assert torch.all(logits.grad[:, 5:] == 0) and torch.any(logits.grad[:, :5] != 0)  # type: ignore[index]


def test_multitask_an_epoch_holds_the_share_of_each_set(task: MultiTask) -> None:
    batches = list(task.batches(0, 0))
    gold = torch.cat([g for _, g in batches])
    assert len(batches) == task.steps and len(gold) == sum(task.mix.counts) == 50
    assert [int((gold < 5).sum()), int((gold >= 5).sum())] == task.mix.counts


def test_multitask_batches_depend_on_seed_and_epoch_alone(task: MultiTask) -> None:
    first = [b.ids.tolist() for b, _ in task.batches(1, 0)]
    assert [b.ids.tolist() for b, _ in task.batches(1, 2)] == first[2:]
    assert [b.ids.tolist() for b, _ in task.batches(2, 0)] != first


def test_multitask_scores_are_means_over_the_sets(task: MultiTask, tiny_encoder: Path) -> None:
    scores = task.scores(new_network(str(tiny_encoder), task.outputs, "mean"), "cpu")
    assert scores["dev/macro_f1"] == pytest.approx((scores["dev_sets/five"] + scores["dev_sets/two"]) / 2)
