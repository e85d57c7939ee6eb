"""Several data sets with their own labels in one training: one shared encoder, one head a label set."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from stance.core import Example, LabelSet
from stance.data.augment import augment
from stance.data.splits import Splits
from stance.encoding import Batch, PairTokenizer
from stance.evaluation.metrics import Labels
from stance.network import StanceNetwork
from stance.settings import TrainSettings
from stance.training.optimisation import loss_function
from stance.training.scoring import logit_scores, network_logits
from stance.training.task import bucketed


@dataclass(frozen=True)
class TaskSet:
    """One data set of the mix; `definitions` says in words what each label means, in order."""

    name: str
    definitions: Mapping[str, str]
    splits: Splits
    digest: str = ""

    @property
    def labels(self) -> LabelSet:
        """The labels as a LabelSet."""
        return LabelSet(tuple(self.definitions))


def rows_each(sizes: Sequence[int], temperature: float) -> list[int]:
    """Say how many rows of each set an epoch holds: shares proportional to size^(1/temperature), sum as before.

    Temperature 1 takes every row once; the higher it is, the more alike the shares become.
    """
    weights = np.array(sizes, dtype=np.float64) ** (1 / temperature)
    return [max(1, round(float(share))) for share in sum(sizes) * weights / weights.sum()]


def draw(size: int, count: int, rng: np.random.Generator) -> Labels:
    """Draw `count` of `size` positions, each as often as the others or once more."""
    return np.concatenate([rng.permutation(size) for _ in range(math.ceil(count / size))])[:count]


@dataclass(frozen=True)
class Mix:
    """The data sets of a run, and how an epoch is drawn from them."""

    sets: Sequence[TaskSet]
    temperature: float
    settings: TrainSettings
    seed: int

    def __str__(self) -> str:
        shares = zip(self.sets, self.counts, strict=True)
        return ", ".join(f"{each.name} {count:,} of {len(each.splits.train):,}" for each, count in shares)

    @property
    def counts(self) -> list[int]:
        """Rows of each set in an epoch."""
        return rows_each([len(each.splits.train) for each in self.sets], self.temperature)

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return math.ceil(sum(self.counts) / self.settings.batch_size)

    def rows(self, rng: np.random.Generator) -> Iterator[tuple[int, Example]]:
        """Yield the rows of an epoch, each with the number of its set."""
        for number, (each, count) in enumerate(zip(self.sets, self.counts, strict=True)):
            changed = augment(each.splits.train, self.settings.augment, rng)
            for position in draw(len(changed), count, rng):
                yield number, changed[position]


@dataclass(frozen=True)
class MultiTask:
    """Learns every set with a head of its own; the heads lie side by side in one linear layer."""

    mix: Mix
    tokenizer: PairTokenizer

    @property
    def columns(self) -> list[slice]:
        """Where the head of each set lies among the outputs."""
        ends = np.cumsum([len(each.labels) for each in self.mix.sets]).tolist()
        return [slice(end - len(each.labels), end) for end, each in zip(ends, self.mix.sets, strict=True)]

    @property
    def outputs(self) -> int:
        """One a label of each set."""
        return sum(len(each.labels) for each in self.mix.sets)

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return self.mix.steps

    def loss(self) -> nn.Module:
        """Return the loss of the settings, for each set within its own labels."""
        losses = [loss_function(each.splits.train, each.labels, self.mix.settings) for each in self.mix.sets]
        return HeadsLoss(losses, self.columns)

    def batches(self, epoch: int, skip: int) -> Iterator[tuple[Batch, Tensor]]:
        """Yield mixed batches with, for each row, the position of its label among all outputs, shape (rows,)."""
        rng = np.random.default_rng([self.mix.seed, epoch])
        drawn = list(self.mix.rows(rng))
        rows = self.tokenizer.encode([example for _, example in drawn])
        starts = [column.start for column in self.columns]
        gold = np.array([starts[n] + self.mix.sets[n].labels.index(e.label or "") for n, e in drawn], dtype=np.int64)
        for positions in bucketed([len(row.ids) for row in rows], self.mix.settings.batch_size, rng)[skip:]:
            yield self.tokenizer.pad(rows, positions, multiple=8), torch.from_numpy(gold[positions])

    def scores(self, network: StanceNetwork, device: str) -> dict[str, float]:
        """Return the dev scores of each set, and their means."""
        logits = {
            each.name: network_logits(network, each.splits.dev, self.tokenizer, device)[:, column]
            for each, column in zip(self.mix.sets, self.columns, strict=True)
        }
        return mean_scores(self.mix.sets, logits)


class HeadsLoss(nn.Module):
    """Mean over the rows of the loss of each row's own set, which sees the outputs of that set alone."""

    def __init__(self, losses: Sequence[nn.Module], columns: Sequence[slice]) -> None:
        super().__init__()
        self.losses, self.columns = nn.ModuleList(losses), list(columns)

    def forward(self, logits: Tensor, gold: Tensor) -> Tensor:
        """Take logits (rows, outputs) and gold positions among all outputs (rows,)."""
        total = logits.new_zeros(())
        for loss, column in zip(self.losses, self.columns, strict=True):
            mine = (gold >= column.start) & (gold < column.stop)
            if mine.any():
                total = total + mine.sum() * loss(logits[mine, column], gold[mine] - column.start)
        return total / len(gold)


def mean_scores(sets: Sequence[TaskSet], logits: Mapping[str, Tensor]) -> dict[str, float]:
    """Return macro-F1 of each set on dev and the means of macro-F1 (dev/main, too), accuracy and loss over the sets."""
    scores = {each.name: logit_scores(logits[each.name], each.splits.dev, each.labels) for each in sets}
    named = {f"dev_sets/{name}": values["dev/macro_f1"] for name, values in scores.items()}
    first = next(iter(scores.values()))
    mean = {measure: float(np.mean([values[measure] for values in scores.values()])) for measure in first}
    return mean | {"dev/main": mean["dev/macro_f1"]} | named
