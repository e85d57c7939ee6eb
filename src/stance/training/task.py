"""What the training loop knows of the thing that is learned: batches, loss, scores."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from stance.encoding import Batch
from stance.network import StanceNetwork

BUCKET_BATCHES = 16
"""Rows are sorted by length within runs of so many batches."""


class Task(Protocol):
    """What is learned: the batches of an epoch, their loss, and the scores by which epochs are compared."""

    @property
    def outputs(self) -> int:
        """Outputs of the network's head."""
        ...

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        ...

    def loss(self) -> nn.Module:
        """Return a module that takes the logits and the second part of a batch."""
        ...

    def batches(self, epoch: int, skip: int) -> Iterator[tuple[Batch, Tensor]]:
        """Yield the batches of an epoch after the first `skip`, in an order that seed and epoch decide."""
        ...

    def scores(self, network: StanceNetwork, device: str) -> dict[str, float]:
        """Return at least dev/macro_f1, dev/loss, and dev/main, by which epochs are compared."""
        ...


def bucketed(lengths: Sequence[int], batch_size: int, rng: np.random.Generator) -> list[list[int]]:
    """Return batches of positions in random order; rows of about one length share a batch."""
    order = rng.permutation(len(lengths))
    span = batch_size * BUCKET_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(order), span):
        run = sorted(order[start : start + span].tolist(), key=lambda p: lengths[p])
        batches += [run[i : i + batch_size] for i in range(0, len(run), batch_size)]
    rng.shuffle(batches)
    return batches
