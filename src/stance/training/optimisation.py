"""What is minimised, and how fast each part of the network learns."""

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from stance.core import Example, LabelSet
from stance.network import StanceNetwork
from stance.settings import TrainSettings


def parameter_groups(network: StanceNetwork, settings: TrainSettings) -> list[dict[str, object]]:
    """Group parameters by depth; each layer below the top learns `layer_decay` times as fast."""
    depths = {
        name: int(m[1]) + 1 if (m := re.search(r"\.(?:layers?|h)\.(\d+)\.", name)) else 0
        for name, _ in network.named_parameters()
    }
    top = max(depths.values())
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        is_head = name.startswith("head.")
        rate = (
            settings.head_learning_rate
            if is_head
            else settings.learning_rate * settings.layer_decay ** (top - depths[name])
        )
        groups.setdefault(rate, []).append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]


def schedule(done: float, warmup: float) -> float:
    """Share of the peak rate after `done` (0 to 1) of the steps: up linearly, then down to 0."""
    return done / warmup if done < warmup else (1 - done) / (1 - warmup) if warmup < 1 else 1.0


def loss_function(examples: Sequence[Example], labels: LabelSet, settings: TrainSettings) -> nn.Module:
    """Cross-entropy, plain, weighted by inverse label frequency, or focal (Lin et al. 2017, gamma 2)."""
    if settings.imbalance == "focal":
        return FocalLoss()
    counts = np.bincount(labels.indices(examples), minlength=len(labels)).clip(min=1)
    weights = torch.tensor(counts.sum() / (len(labels) * counts), dtype=torch.float32)
    return nn.CrossEntropyLoss(
        weight=weights if settings.imbalance == "weights" else None, label_smoothing=settings.label_smoothing
    )


class FocalLoss(nn.Module):
    """Mean of -(1 - p)^2 log p over the rows, p the probability of the right label."""

    def forward(self, logits: Tensor, gold: Tensor) -> Tensor:
        """Take logits (rows, n_labels) and gold positions (rows,)."""
        log_p = logits.log_softmax(-1).gather(1, gold[:, None]).squeeze(1)
        return -((1 - log_p.exp()) ** 2 * log_p).mean()
