"""Temperature scaling and the abstention threshold, both fitted on dev."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stance.core import Array


@dataclass(frozen=True)
class Calibration:
    """What turns logits into probabilities and abstentions.

    Attributes:
        temperature: Logits are divided by it before the softmax; above 0.
        threshold: A prediction abstains when its confidence is under it; 0 to 1.
    """

    temperature: float = 1.0
    threshold: float = 0.0


def softmax(logits: Array, temperature: float = 1.0) -> Array:
    """Probabilities of shape (n_rows, n_labels) that sum to 1 in each row."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    grown = np.exp(scaled)
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def calibrate(logits: Array, gold: npt.NDArray[np.int64], abstain_accuracy: float) -> Calibration:
    """Fit both on dev.

    The temperature minimises the log loss (Guo et al. 2017, section 4.2), searched over
    0.2 to 5. The threshold is the lowest confidence at which the answered rows are right at
    least `abstain_accuracy` of the time; when none is, the one with the highest accuracy
    that still answers half of the rows.
    """
    grid = np.geomspace(0.2, 5, 200)
    losses = [-np.log(softmax(logits, t)[np.arange(len(gold)), gold] + 1e-12).mean() for t in grid]
    temperature = float(grid[int(np.argmin(losses))])
    probabilities = softmax(logits, temperature)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == gold
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(confidence[order]) < 0, True))  # rows of one confidence go together
    correct = np.cumsum(right[order])[ends] / (ends + 1)
    good = ends[correct >= abstain_accuracy]
    if len(good) and good[-1] == len(order) - 1:
        return Calibration(temperature, 0.0)
    enough = ends >= len(order) // 2
    last = good[-1] if len(good) else ends[enough][np.argmax(correct[enough])]
    return Calibration(temperature, float(confidence[order[last]]))
