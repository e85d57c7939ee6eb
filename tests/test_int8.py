"""int8 networks: near the weights they come from, and a row's answer is its own."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from conftest import make_rows
from onnx import TensorProto, helper, numpy_helper

from stance.core import Example
from stance.inference.backends import OnnxBackend
from stance.inference.bundle import read_manifest
from stance.inference.predictor import load_predictor
from stance.line import Trained
from stance.network import load_network
from stance.packaging.export import export_onnx
from stance.packaging.int8 import quantize_int8
from stance.packaging.rounding import Seen, round_weights, shared_spread, watch

EXAMPLES = [Example(row["text"], row["target"], row["holder"]) for row in make_rows(60, seed=9)]


def test_int8_a_row_does_not_depend_on_its_neighbours(trained: Trained) -> None:
    predictor = load_predictor(trained.bundle, backend="onnx-int8")
    alone = np.concatenate([predictor.logits([example]) for example in EXAMPLES[:10]])
    assert np.allclose(alone, predictor.logits(EXAMPLES)[:10], atol=1e-4)


def test_int8_computes_products_in_integers(trained: Trained) -> None:
    kinds = [node.op_type for node in onnx.load(trained.bundle / "model.int8.onnx").graph.node]
    floats = [node.op_type for node in onnx.load(trained.bundle / "model.onnx").graph.node]
    layers = sum(isinstance(m, torch.nn.Linear) for m in load_network(trained.bundle, 5, "mean").encoder.modules())
    assert kinds.count("MatMulIntegerToFloat") == layers - 1, "all but the pooler, which is not asked"
    assert kinds.count("MatMul") == floats.count("MatMul") - kinds.count("MatMulIntegerToFloat")


def test_int8_layers_that_were_not_watched_stay_as_they_are(trained: Trained, tmp_path: Path) -> None:
    quantize_int8(trained.bundle / "model.onnx", tmp_path / "same.onnx", {})
    batch = next(load_predictor(trained.bundle, backend="torch").batches(EXAMPLES))
    one, other = (OnnxBackend(path).logits(batch) for path in (trained.bundle / "model.onnx", tmp_path / "same.onnx"))
    assert np.allclose(one, other, atol=0.02), "only embeddings, by rows, are rounded"
    assert "MatMulIntegerToFloat" not in {node.op_type for node in onnx.load(tmp_path / "same.onnx").graph.node}


def test_int8_stays_near_a_network_with_any_biases(trained: Trained, tmp_path: Path) -> None:
    network = load_network(trained.bundle, 5, "mean")
    torch.manual_seed(0)
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.endswith("bias") or "LayerNorm" in name:
                values.add_(torch.randn_like(values) * 0.3)
        network.encoder.encoder.layer[0].attention.self.key.bias.zero_()  # type: ignore[union-attr,index]
        network.encoder.encoder.layer[1].attention.self.key.bias.zero_()  # type: ignore[union-attr,index]
    batches = list(load_predictor(trained.bundle, backend="torch").batches(EXAMPLES))
    export_onnx(network, tmp_path / "float.onnx")
    quantize_int8(tmp_path / "float.onnx", tmp_path / "int8.onnx", watch(network, batches))
    expected, found = (OnnxBackend(tmp_path / name).logits(batches[0]) for name in ("float.onnx", "int8.onnx"))
    assert expected.std() > 0.05 and np.abs(found - expected).mean() < 0.1 * expected.std()
    kinds = [node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 12, "layers are told apart by their weights, not by their biases"


def test_int8_a_layer_that_is_used_twice_stays_in_float(tmp_path: Path) -> None:
    weights = np.random.default_rng(2).normal(size=(8, 8)).astype(np.float32)
    nodes = [helper.make_node("MatMul", given, ["y" if i else "h"]) for i, given in enumerate((["x", "w"], ["h", "w"]))]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 8]) for name in "xy")
    graph = helper.make_graph(nodes, "twice", [x], [y], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), tmp_path / "float.onnx")
    seen = {"layer": Seen(weights, np.ones(8, np.float32), np.eye(8, dtype=np.float32))}
    quantize_int8(tmp_path / "float.onnx", tmp_path / "int8.onnx", seen)
    assert [node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node] == ["MatMul", "MatMul"]


def test_int8_watch_sees_what_each_layer_reads(trained: Trained) -> None:
    network = load_network(trained.bundle, 5, read_manifest(trained.bundle).pooling)
    batches = list(load_predictor(trained.bundle, backend="torch").batches(EXAMPLES))
    whole, first = watch(network, batches), watch(network, batches[:1])
    name = next(n for n, module in network.encoder.named_modules() if isinstance(module, torch.nn.Linear))
    seen = whole[f"encoder.{name}"]
    width = network.encoder.config.hidden_size  # type: ignore[union-attr]
    assert seen.largest.shape == (width,) and seen.products.shape == (width, width)
    assert (seen.largest >= first[f"encoder.{name}"].largest).all()
    assert np.allclose(seen.products, seen.products.T, rtol=1e-3)
    assert not any(module._forward_pre_hooks for module in network.modules()), "it leaves nothing behind"


def test_int8_weights_are_rounded_for_the_inputs_seen() -> None:
    rng = np.random.default_rng(0)
    inputs = (rng.normal(size=(400, 24)) @ rng.normal(size=(24, 24))).astype(np.float32)
    weights = rng.normal(size=(24, 40)).astype(np.float32)
    rounded, scale = round_weights(weights, inputs.T @ inputs)
    nearest = np.round(weights / scale) * scale
    error, plain = (np.square(inputs @ (w - weights)).mean() for w in (rounded * scale, nearest))
    assert rounded.dtype == np.int8 and np.abs(rounded).max() <= 127 and scale.shape == (40,)
    assert error < 0.8 * plain


def test_int8_weights_of_inputs_never_seen_are_rounded_to_the_nearest() -> None:
    weights = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    rounded, scale = round_weights(weights, np.zeros((6, 6), np.float32))
    assert np.abs(rounded * scale - weights).max() <= scale.max() / 2 + 1e-6


@pytest.mark.parametrize("largest", [[100.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
def test_int8_spread_is_shared_between_inputs_and_weights(largest: list[float]) -> None:
    factors = shared_spread(np.array(largest, np.float32), [np.ones((3, 2), np.float32), np.zeros((3, 5), np.float32)])
    assert factors.mean() == pytest.approx(1) and (factors > 0).all()
    assert (np.diff(factors) == 0)[1] and (factors[0] > factors[1]) == (largest[0] > 1)
