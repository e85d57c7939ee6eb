"""Labels as hypotheses in words: the network scores (text, hypothesis), softmax over the labels of the set."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from stance.core import Example
from stance.encoding import Batch, PairTokenizer
from stance.network import StanceNetwork
from stance.text import render_hypothesis
from stance.training.multitask import Mix, mean_scores
from stance.training.scoring import encoded_logits
from stance.training.task import bucketed


@dataclass(frozen=True)
class HypothesisTask:
    """Learns to score the right label's hypothesis above the others of its set.

    Attributes:
        mix: The data sets.
        tokenizer: As the encoder needs it.
        options: Hypotheses scored a row: the right one, and others drawn from its set.
        reword: Share of them worded otherwise than by the whole definition, see `reworded`.
    """

    mix: Mix
    tokenizer: PairTokenizer
    options: int
    reword: float

    @property
    def outputs(self) -> int:
        """The score of a hypothesis."""
        return 1

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return self.mix.steps

    def loss(self) -> nn.Module:
        """Return cross-entropy over the hypotheses of each row."""
        return HypothesisLoss(self.mix.settings.label_smoothing)

    def batches(self, epoch: int, skip: int) -> Iterator[tuple[Batch, Tensor]]:
        """Yield batches with, for each hypothesis, the number of its row in the batch; the right one comes first."""
        rng = np.random.default_rng([self.mix.seed, epoch])
        drawn = list(self.mix.rows(rng))
        worded = [self._wordings(self.mix.sets[number].definitions, example, rng) for number, example in drawn]
        form = self.tokenizer.input_form
        pairs = [render_hypothesis(e, words, form) for (_, e), ws in zip(drawn, worded, strict=True) for words in ws]
        rows = self.tokenizer.encode_pairs(pairs)
        sizes = np.array([len(words) for words in worded])
        ends = np.cumsum(sizes)
        lengths = [max(len(row.ids) for row in rows[end - n : end]) for end, n in zip(ends, sizes, strict=True)]
        for chosen in bucketed(lengths, self.mix.settings.batch_size, rng)[skip:]:
            positions = [p for i in chosen for p in range(ends[i] - sizes[i], ends[i])]
            owners = np.repeat(np.arange(len(chosen)), sizes[chosen])
            yield self.tokenizer.pad(rows, positions, multiple=8), torch.from_numpy(owners)

    def _wordings(self, definitions: Mapping[str, str], example: Example, rng: np.random.Generator) -> list[str]:
        others = [label for label in definitions if label != example.label]
        picked = rng.permutation(len(others))[: self.options - 1]
        names = [example.label or "", *(others[i] for i in picked)]
        return [
            reworded(name, definitions[name], rng) if rng.random() < self.reword else definitions[name]
            for name in names
        ]

    def scores(self, network: StanceNetwork, device: str) -> dict[str, float]:
        """Return the dev scores of each set, and their means."""
        logits = {
            each.name: hypothesis_logits(network, each.splits.dev, each.definitions, self.tokenizer, device)
            for each in self.mix.sets
        }
        return mean_scores(self.mix.sets, logits)


class HypothesisLoss(nn.Module):
    """Mean over rows of the cross-entropy over each row's hypotheses, however many it has."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, owners: Tensor) -> Tensor:
        """Take logits (hypotheses, 1) and the row of each (hypotheses,): rows together, the right one first."""
        first, smoothing = owners.new_zeros(1), self.label_smoothing
        rows = torch.split(logits.squeeze(1), owners.bincount().tolist())
        losses = [nn.functional.cross_entropy(row[None], first, label_smoothing=smoothing) for row in rows]
        return torch.stack(losses).mean()


def reworded(name: str, definition: str, rng: np.random.Generator) -> str:
    """Return the label's name in words, or one of the phrases of its definition."""
    phrases = [phrase for part in re.split(r" - |[,;]", definition) if (phrase := part.strip())]
    choices = [name.replace("_", " "), *phrases]
    return choices[int(rng.integers(len(choices)))]


def hypothesis_logits(
    network: StanceNetwork,
    examples: Sequence[Example],
    definitions: Mapping[str, str],
    tokenizer: PairTokenizer,
    device: str,
) -> Tensor:
    """Return the scores of all labels' hypotheses, shape (n_examples, n_labels), in float32."""
    form = tokenizer.input_form
    pairs = [render_hypothesis(example, words, form) for example in examples for words in definitions.values()]
    scores = encoded_logits(network, tokenizer.encode_pairs(pairs), tokenizer, device)
    return scores.reshape(len(examples), len(definitions))
