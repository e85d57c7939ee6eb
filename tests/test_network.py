"""Encoders of several architectures with a head: forward, save and load."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel

from stance import encoders
from stance.errors import ConfigError, ModelError
from stance.network import (
    StanceNetwork,
    load_network,
    new_network,
    save_network,
)

SMALL = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 40,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": SMALL,
    "roberta": SMALL | {"pad_token_id": 1},
    "xlm-roberta": SMALL | {"pad_token_id": 1},
    "distilbert": {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "modernbert": SMALL | {f"{name}_token_id": i for i, name in enumerate(("pad", "bos", "eos", "cls", "sep"))},
    "deberta-v2": SMALL | {"type_vocab_size": 0},
    "electra": SMALL | {"embedding_size": 16},
}  # fmt: skip
IDS = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])
SEGMENTS = torch.tensor([[0, 0, 0, 1, 1], [0, 1, 0, 0, 0]])


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(request.param)
    AutoModel.from_config(AutoConfig.for_model(request.param, **CONFIGS[request.param])).save_pretrained(folder)
    return folder


def test_network_takes_the_encoder_of_a_bundle_with_a_fresh_head(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "UNPACKED", tmp_path / "unpacked")
    trained = new_network(str(checkpoint), 3, "mean").eval()
    with torch.no_grad():
        for weights in trained.parameters():
            weights.mul_(1.5)
    save_network(trained, tmp_path)
    for name in ("manifest.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    network = new_network(str(tmp_path), 5, "mean").eval()
    assert network.head.out_features == 5
    for name, weights in trained.encoder.state_dict().items():
        assert torch.equal(network.encoder.state_dict()[name], weights), name


def test_network_refuses_an_encoder_that_lacks_weights(checkpoint: Path, tmp_path: Path) -> None:
    shutil.copy(checkpoint / "config.json", tmp_path)
    state = load_file(checkpoint / "model.safetensors")
    lost = next(name for name in state if name.endswith("weight") and ".0." in name)
    save_file({name: each for name, each in state.items() if name != lost}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="has no weights for 1 parts of its encoder"):
        new_network(str(tmp_path), 3, "mean")


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_network_save_and_load_give_the_same_logits(checkpoint: Path, pooling: str, tmp_path: Path) -> None:
    network = new_network(str(checkpoint), 3, pooling, dropout=0.5).eval()
    save_network(network, tmp_path)
    again = load_network(tmp_path, 3, pooling)
    assert not again.training
    with torch.inference_mode():
        before, after = network(IDS, MASK, SEGMENTS), again(IDS, MASK, SEGMENTS)
    assert before.shape == (2, 3) and torch.isfinite(before).all()
    assert torch.allclose(before, after, atol=1e-5)


@torch.inference_mode()
def test_network_padding_does_not_change_the_answer(checkpoint: Path) -> None:
    network = new_network(str(checkpoint), 3, "mean").eval()
    both = network(IDS, MASK, SEGMENTS)
    alone = network(IDS[1:, :2], MASK[1:, :2], SEGMENTS[1:, :2])
    assert torch.allclose(both[1], alone[0], atol=1e-5)


@torch.inference_mode()
def test_network_reads_segments_where_the_encoder_has_them(tiny_encoder: Path) -> None:
    network = new_network(str(tiny_encoder), 3, "mean").eval()
    assert not torch.allclose(network(IDS, MASK, SEGMENTS), network(IDS, MASK, torch.zeros_like(SEGMENTS)), atol=1e-5)


@torch.inference_mode()
def test_network_poolings_by_hand(tiny_encoder: Path) -> None:
    for pooling in ("mean", "first"):
        network = new_network(str(tiny_encoder), 3, pooling).eval()
        states = network.encoder(input_ids=IDS, attention_mask=MASK, token_type_ids=SEGMENTS).last_hidden_state
        pooled = states[1, :2].mean(0) if pooling == "mean" else states[1, 0]
        assert torch.allclose(network(IDS, MASK, SEGMENTS)[1], network.head(pooled), atol=1e-5)


def test_network_new_head_drops_only_in_training(tiny_encoder: Path) -> None:
    network = new_network(str(tiny_encoder), 3, "mean", dropout=0.5)
    network.train()
    assert not torch.equal(network(IDS, MASK, SEGMENTS), network(IDS, MASK, SEGMENTS))
    network.eval()
    assert torch.equal(network(IDS, MASK, SEGMENTS), network(IDS, MASK, SEGMENTS))


@pytest.mark.parametrize("content", [None, {}, {"model_type": "no-such-type"}])
def test_network_encoder_that_cant_be_loaded_is_named(content: dict[str, str] | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"model.encoder: can't load '.*'"):
        new_network(str(tmp_path), 3, "mean")


def saved(encoder: Path, folder: Path) -> StanceNetwork:
    network = new_network(str(encoder), 3, "mean")
    save_network(network, folder)
    return network


def test_network_of_another_label_count_is_a_model_error(tiny_encoder: Path, tmp_path: Path) -> None:
    saved(tiny_encoder, tmp_path)
    with pytest.raises(ModelError, match="weights can't be loaded"):
        load_network(tmp_path, 4, "mean")


def test_network_with_a_missing_tensor_is_a_model_error(tiny_encoder: Path, tmp_path: Path) -> None:
    saved(tiny_encoder, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["head.bias"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"head\.bias"):
        load_network(tmp_path, 3, "mean")


def test_network_files_hold_no_pickle(tiny_encoder: Path, tmp_path: Path) -> None:
    network = saved(tiny_encoder, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert load_file(tmp_path / "model.safetensors").keys() == network.state_dict().keys()


@pytest.mark.parametrize(("count", "kept"), [(1, [2]), (2, [0, 2]), (3, [0, 1, 2])])
def test_network_keeps_layers_evenly_spaced(count: int, kept: list[int], tmp_path: Path) -> None:
    whole = AutoModel.from_config(AutoConfig.for_model("bert", **SMALL | {"num_hidden_layers": 3}))
    whole.save_pretrained(tmp_path / "encoder")
    network = new_network(str(tmp_path / "encoder"), 3, "mean", layers=count).eval()
    for position, source in enumerate(kept):
        for mine, theirs in zip(
            network.encoder.encoder.layer[position].parameters(), whole.encoder.layer[source].parameters(), strict=True
        ):
            assert torch.equal(mine, theirs)
    save_network(network, tmp_path)
    again = load_network(tmp_path, 3, "mean")
    assert torch.allclose(again(IDS, MASK, SEGMENTS), network(IDS, MASK, SEGMENTS), atol=1e-5)


def test_network_of_more_layers_than_there_are_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.layers: got 3; expected 1 to 2"):
        new_network(str(checkpoint), 3, "mean", layers=3)
