"""The torch model: an encoder, pooling and a linear head, in files without pickle."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from stance.encoders import find_encoder
from stance.errors import ConfigError, ModelError


class StanceNetwork(nn.Module):
    """Encoder -> one vector for the text pair -> logits of shape (batch, n_labels)."""

    def __init__(self, encoder: nn.Module, hidden_size: int, n_labels: int, pooling: str, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, n_labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Read token ids, mask and segment ids, each (batch, tokens)."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if getattr(self.encoder.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = token_type_ids
        states = self.encoder(**inputs).last_hidden_state
        if self.pooling == "first":
            pooled = states[:, 0]
        else:
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        logits: Tensor = self.head(self.dropout(pooled).to(self.head.weight.dtype))
        return logits


def new_network(
    encoder: str, n_labels: int, pooling: str, *, layers: int = 0, dropout: float = 0.0, encoder_dropout: float = 0.0
) -> StanceNetwork:
    """Build a network from a pretrained encoder or from that of a trained bundle, with a fresh head.

    Attention is computed "eager": on the CPU its backward pass takes a third of the time of the
    fused one, whose forward pass is the faster. Dropout inside the encoder would cost half as
    much again, since torch draws the random numbers on one core.

    Raises:
        ConfigError: The encoder can't be found or loaded, or has fewer than `layers` layers.
    """
    body = _load_body(encoder)
    if layers:
        _keep_layers(body, layers)
    for module in body.modules():
        if isinstance(module, nn.Dropout):
            module.p = encoder_dropout
    return StanceNetwork(body, body.config.hidden_size, n_labels, pooling, dropout)


def _keep_layers(body: PreTrainedModel, count: int) -> None:
    """Drop all but `count` layers, evenly spaced, the first and the last among those that stay."""
    whole = body.config.num_hidden_layers
    stacks = [m for m in body.modules() if isinstance(m, nn.ModuleList) and len(m) == whole]
    if count > whole or not stacks:
        raise ConfigError(f"model.layers: got {count}; expected 1 to {whole}, the layers of the encoder, or 0 for all")
    stay = set(np.linspace(whole - 1, 0, count).round().astype(int).tolist())
    for position in reversed(range(whole)):
        if position not in stay:
            del stacks[0][position]
    body.config.num_hidden_layers = count
    if kinds := getattr(body.config, "layer_types", None):  # encoders whose layers differ in kind
        body.config.layer_types = [kind for position, kind in enumerate(kinds) if position in stay]


def _load_body(encoder: str) -> PreTrainedModel:
    """Load the encoder alone."""
    try:
        body, told = AutoModel.from_pretrained(
            find_encoder(encoder),
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,
            attn_implementation="eager",
            trust_remote_code=False,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"model.encoder: can't load '{encoder}': {reason}. Give a folder, or check the name"
        ) from error
    missing = sorted(name for name in told["missing_keys"] if "pooler" not in name)
    if missing:
        raise ConfigError(
            f"model.encoder: '{encoder}' has no weights for {len(missing)} parts of its encoder, such as "
            f"{missing[0]}. Give a folder that holds a whole encoder"
        )
    loaded: PreTrainedModel = body
    return loaded


def save_network(network: StanceNetwork, folder: Path) -> None:
    """Write config.json (the encoder's) and model.safetensors."""
    config: PretrainedConfig = network.encoder.config  # type: ignore[assignment]
    values = config.to_dict() | {"_name_or_path": ""}  # else a folder of this machine
    (folder / "config.json").write_text(json.dumps(values, indent=2), encoding="utf-8")
    state = {name: tensor.contiguous().clone() for name, tensor in network.state_dict().items()}
    save_tensors(state, folder / "model.safetensors")


def save_encoder(network: StanceNetwork, source: str, folder: Path) -> None:
    """Write the encoder without the head, and the tokenizer of encoder `source`: model.encoder can name the folder."""
    from transformers import AutoTokenizer

    found = find_encoder(source)
    network.encoder.save_pretrained(folder)  # type: ignore[operator]
    AutoTokenizer.from_pretrained(found, trust_remote_code=False).save_pretrained(folder)
    if (own := Path(found) / "tokenizer.json").is_file():  # transformers may write it otherwise than it read it
        shutil.copy2(own, folder / own.name)


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors; raises OSError when the disk is full."""
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise OSError(0, str(error), str(path)) from error


def load_network(folder: Path, n_labels: int, pooling: str) -> StanceNetwork:
    """Read what save_network wrote, in evaluation mode, on the CPU.

    Raises:
        ModelError: The weights don't fit the configuration.
    """
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        body = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        network = StanceNetwork(body, config.hidden_size, n_labels, pooling)
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except Exception as error:
        raise ModelError(f"{folder}: the weights can't be loaded ({error}). Train or fetch the bundle again") from error
    return network.eval()
