"""Exports a network to ONNX. Knows no bundle."""

import contextlib
import io
import logging
import warnings
from pathlib import Path

import onnx
import torch

from stance.network import StanceNetwork

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OPSET = 21
"""Version of ONNX's operators: the lowest in which packaging.int8 can round values by a scale a token."""


def export_onnx(network: StanceNetwork, path: Path) -> None:
    """Write `network` as one ONNX file with free batch and length.

    Its attention is put down to plain steps ("eager") and stays so: the fused kind guards against rows without any
    token, which costs the runtimes a twentieth of their time.
    """
    network = network.eval().cpu()
    network.encoder.set_attn_implementation("eager")  # type: ignore[operator]
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
            opset_version=OPSET,
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
