"""Keeps a training where it is, so that it can go on after being killed. Tensors only, no pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stance.atomic import whole_folder
from stance.errors import ConfigError
from stance.network import save_tensors
from stance.settings import TrainSettings

UNUSED = ("name", "resume", "bootstrap", "abstain_accuracy", "checkpoint_steps")
"""Values of train= that change no weight."""


def deciding(settings: TrainSettings) -> dict[str, Any]:
    """Return the values of train= that the weights depend on; an interrupted training goes on only with the same."""
    return {name: value for name, value in asdict(settings).items() if name not in UNUSED}


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: Epochs finished.
        batch: Batches done of the present epoch.
        loss: Sum of their losses.
        stale: Epochs since the best one.
        history: One entry an epoch.
        run_id: The MLflow run that is logged to.
        seconds: How long the training took so far, over all its parts.
        best: The best epoch's weights.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    stale: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    run_id: str | None = None
    seconds: float = 0.0
    best: dict[str, Tensor] = field(default_factory=dict)

    def count(self, loss: float) -> None:
        """Note one more batch."""
        self.batch, self.loss = self.batch + 1, self.loss + loss

    def finish_epoch(self, scores: Mapping[str, float], network: nn.Module) -> dict[str, float]:
        """Close the epoch, keep the weights if dev/main rose, and return the epoch's entry."""
        highest = max((entry["dev/main"] for entry in self.history), default=-1.0)
        self.stale += 1
        if scores["dev/main"] > highest:
            self.stale = 0
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
        entry = {"epoch": float(self.epoch + 1), "train/loss": self.loss / max(1, self.batch), **scores}
        self.history.append(entry)
        self.epoch, self.batch, self.loss = self.epoch + 1, 0, 0.0
        return entry


def save_checkpoint(
    folder: Path, run_key: str, network: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write everything that the rest of the training depends on."""
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in progress.best.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
    tensors["random"] = torch.get_rng_state()
    note = {"run_key": run_key} | {k: v for k, v in vars(progress).items() if k != "best"}
    with whole_folder(folder, "state.json") as draft:
        save_tensors(
            {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, draft / "state.safetensors"
        )
        (draft / "state.json").write_text(json.dumps(note), encoding="utf-8")


def check_note(folder: Path, run_key: str) -> dict[str, Any]:
    """Return the note of a checkpoint that fits.

    Raises:
        ConfigError: There is no checkpoint, or it is of other settings, data or seed.
    """
    try:
        note: dict[str, Any] = json.loads((folder / "state.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"train.resume: no checkpoint in {folder}; start with train.resume=false") from error
    if note.pop("run_key") != run_key:
        raise ConfigError(
            f"train.resume: the checkpoint in {folder} is of other settings, data or seed. "
            "Use the same ones, or start anew with train.resume=false"
        )
    return note


def load_checkpoint(folder: Path, run_key: str, network: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put network, optimizer and random state back to where the checkpoint left them.

    Raises:
        ConfigError: There is no checkpoint, or it is of other settings, data or seed.
    """
    note = check_note(folder, run_key)
    try:
        tensors = load_file(folder / "state.safetensors")
    except Exception as error:
        raise ConfigError(f"train.resume: {folder} is damaged ({error}); start with train.resume=false") from error
    network.load_state_dict(_below(tensors, "network."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _below(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random"])
    return Progress(**note, best=_below(tensors, "best."))


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
