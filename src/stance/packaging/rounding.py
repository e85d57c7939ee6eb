"""Rounds the weights of products for the inputs that they meet on real rows.

Inputs and weights share their spread (SmoothQuant, Xiao et al. 2023), and the weights rounded later make up for the
error of those rounded before (GPTQ, Frantar et al. 2023).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from stance.encoding import Batch
from stance.network import StanceNetwork
from stance.training.scoring import as_tensors

DAMPING = 0.01
"""Share of its mean diagonal that is added to a matrix before it is inverted."""
Values = npt.NDArray[np.float32]


@dataclass
class Seen:
    """What a layer is and read.

    Attributes:
        weights: As a product takes them, (inputs, outputs).
        largest: The largest absolute value of each input, (inputs,).
        products: X^T X of the inputs, (inputs, inputs).
    """

    weights: Values
    largest: Values
    products: Values


def watch(network: StanceNetwork, batches: Iterable[Batch]) -> dict[str, Seen]:
    """Run the network on batches of real rows; return what each linear layer of it reads, by the layer's name."""
    seen: dict[str, Seen] = {}

    def look(name: str, layer: nn.Linear, given: Tensor) -> None:
        rows = given.detach().reshape(-1, given.shape[-1])
        largest, products = rows.abs().amax(0).numpy(), (rows.T @ rows).numpy()
        if name in seen:
            largest, products = np.maximum(seen[name].largest, largest), seen[name].products + products
        seen[name] = Seen(layer.weight.detach().numpy().T, largest, products)

    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    hooks = [m.register_forward_pre_hook(lambda m, given, name=name: look(name, m, given[0])) for name, m in layers]
    try:
        with torch.inference_mode():
            for batch in batches:
                network(*as_tensors(batch, "cpu"))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def shared_spread(largest: Values, weights: Sequence[Values]) -> Values:
    """Return what each input is to be divided by, and each row of the weights multiplied, for both to spread alike.

    Args:
        largest: Largest absolute value of each input, (inputs,).
        weights: Of all products that read these inputs, each (inputs, outputs).

    Returns:
        SmoothQuant's factors at alpha 1/2, of mean 1, (inputs,).
    """
    most = np.max([np.abs(each).max(axis=1) for each in weights], axis=0)
    factors = np.sqrt(np.maximum(largest, 1e-5) / np.maximum(most, 1e-5))
    return np.asarray(factors / factors.mean(), np.float32)


def round_weights(weights: Values, products: Values) -> tuple[npt.NDArray[np.int8], Values]:
    """Round weights to int8 so that the outputs change least on the inputs seen (GPTQ in the given order).

    Args:
        weights: (inputs, outputs).
        products: X^T X of the inputs, (inputs, inputs).

    Returns:
        The rounded weights, -127 to 127, (inputs, outputs), and the scale of each output, (outputs,).
    """
    left = weights.copy()
    scale = np.maximum(np.abs(left).max(axis=0), 1e-9) / 127
    damped = products.astype(np.float64) + np.eye(len(products)) * max(DAMPING * np.diagonal(products).mean(), 1e-9)
    share = np.linalg.cholesky(np.linalg.inv(damped)).T.astype(np.float32)
    rounded = np.empty(left.shape, np.int8)
    for i in range(len(left)):
        rounded[i] = np.clip(np.round(left[i] / scale), -127, 127)
        left[i:] -= np.outer(share[i, i:], (left[i] - rounded[i] * scale) / share[i, i])
    return rounded, scale.astype(np.float32)
