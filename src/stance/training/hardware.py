"""What the machine has: a GPU, bfloat16."""

import torch

from stance.errors import ConfigError


def choose_device(device: str) -> str:
    """Return cpu or cuda for auto, cpu or cuda.

    Raises:
        ConfigError: cuda is asked for and not there.
    """
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ConfigError("device: cuda is asked for, but torch sees no GPU. Use device=cpu or device=auto")
    return "cuda" if there and device != "cpu" else "cpu"


def use_bf16(precision: str, device: str) -> bool:
    """Tell whether to compute in bfloat16: as asked, or with auto where the hardware has it."""
    if precision != "auto":
        return precision == "bf16"
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
