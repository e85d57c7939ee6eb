"""Exports a network to ONNX and to int8, and measures what that changes. Knows no bundle."""

import contextlib
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from stance.network import StanceNetwork

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
BLOCK = 64
"""Weights of a product that share a scale."""
SMALL_TABLE = 100_000
"""Embedding tables with fewer values stay in float32."""


def export_onnx(network: StanceNetwork, path: Path) -> None:
    """Write `network` as one ONNX file with free batch and length."""
    network = network.eval().cpu()
    size, length = 3, 7
    ids = torch.ones(size, length, dtype=torch.long)
    batch, tokens = torch.export.Dim("batch", min=1), torch.export.Dim("tokens", min=2)
    given = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    with _quiet():
        torch.onnx.export(
            network,
            given,
            str(path),
            input_names=list(INPUTS),
            output_names=["logits"],
            dynamic_shapes=tuple({0: batch, 1: tokens} for _ in INPUTS),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    _forget_origin(path)


def _forget_origin(path: Path) -> None:
    """Remove the exporter's notes on source files, which name folders of this machine."""
    model = onnx.load(path)
    parts = [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info]
    for part in [*parts, *model.graph.initializer, *model.functions]:
        part.doc_string = ""
        part.ClearField("metadata_props")
    onnx.save(model, path)


def quantize_int8(source: Path, target: Path) -> None:
    """Write the ONNX file `source` with int8 weights: embeddings with a scale a row, products a scale a block.

    Activations are quantised by block as well when the model runs, so that a row's answer does
    not depend on the rows beside it; ONNX's plain dynamic quantisation has one scale for the
    whole batch and changed seven times as many answers.
    """
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    settings = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, accuracy_level=4, bits=8)
    with _quiet():
        model = onnx.load(source)
        _quantize_embeddings(model.graph)
        quantizer = MatMulNBitsQuantizer(model, algo_config=settings)
        quantizer.process()
        quantizer.model.save_model_to_file(str(target), False)


def _quantize_embeddings(graph: onnx.GraphProto) -> None:
    """Replace each large Gather(table, i) by Gather(int8 table, i) times Gather(scales, i)."""
    tables = {tensor.name: tensor for tensor in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Gather" and n.input[0] in tables]:
        name, index, out = node.input[0], node.input[1], node.output[0]
        table = numpy_helper.to_array(tables[name])
        if table.ndim != 2 or table.size < SMALL_TABLE:
            continue
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-9) / 127
        graph.initializer.remove(tables[name])
        graph.initializer.append(numpy_helper.from_array(np.round(table / scale).astype(np.int8), f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        position = list(graph.node).index(node)
        graph.node.remove(node)
        steps = [
            helper.make_node("Gather", [f"{name}_int8", index], [f"{out}_int8"]),
            helper.make_node("Cast", [f"{out}_int8"], [f"{out}_float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}_scale", index], [f"{out}_scale"]),
            helper.make_node("Mul", [f"{out}_float", f"{out}_scale"], [out]),
        ]
        for offset, step in enumerate(steps):
            graph.node.insert(position + offset, step)


@contextlib.contextmanager
def _quiet():  # type: ignore[no-untyped-def]
    """Keep the exporters' progress notes out of the terminal."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
