"""Logits of a network that is in memory, and the scores by which its epochs are compared."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stance.core import Example, LabelSet
from stance.encoding import Batch, Encoded, PairTokenizer, by_length
from stance.evaluation.metrics import accuracy, confusion_matrix, macro_f1
from stance.network import StanceNetwork


def network_logits(
    network: StanceNetwork, examples: Sequence[Example], tokenizer: PairTokenizer, device: str
) -> Tensor:
    """Return logits of shape (n_examples, n_labels) in float32."""
    return encoded_logits(network, tokenizer.encode(examples), tokenizer, device)


@torch.inference_mode()
def encoded_logits(network: StanceNetwork, rows: Sequence[Encoded], tokenizer: PairTokenizer, device: str) -> Tensor:
    """Return logits of shape (n_rows, n_outputs) in float32."""
    network.eval()
    result = torch.empty(len(rows), network.head.out_features)
    for positions in by_length(rows, 4096):
        result[positions] = network(*as_tensors(tokenizer.pad(rows, positions), device)).float().cpu()
    return result


def logit_scores(logits: Tensor, examples: Sequence[Example], labels: LabelSet) -> dict[str, float]:
    """Return dev/macro_f1, dev/accuracy and dev/loss of logits (n_examples, n_labels)."""
    gold = labels.indices(examples)
    confusion = confusion_matrix(gold, logits.argmax(1).numpy(), len(labels))
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(gold)).item()
    return {"dev/macro_f1": float(macro_f1(confusion)), "dev/accuracy": float(accuracy(confusion)), "dev/loss": loss}


def as_tensors(batch: Batch, device: str) -> tuple[Tensor, ...]:
    """Return ids, mask and segments of a batch, each (rows, tokens), on the device."""
    return tuple(torch.from_numpy(a).to(device) for a in (batch.ids, batch.mask, batch.segments))
