"""Runs a bundle's weights: ONNX Runtime, OpenVINO or torch, whichever is there. Knows ids and logits only."""

import threading
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stance.encoding import Batch
from stance.errors import MissingExtraError, ModelError
from stance.inference.bundle import Manifest, verify

Logits = npt.NDArray[np.float32]
WEIGHTS = {"onnx-int8": "model.int8.onnx", "onnx": "model.onnx", "torch": "model.safetensors", "openvino": "model.onnx"}
"""Backend -> the file it runs; `auto` takes the first that the bundle has, so that openvino has to be named."""


class Backend(Protocol):
    """Weights that can be run."""

    def logits(self, batch: Batch) -> Logits:
        """Return shape (rows, n_outputs)."""
        ...


def open_backend(folder: Path, manifest: Manifest, name: str = "auto", device: str = "cpu") -> Backend:
    """Verify and load the weights that backend `name` runs.

    Raises:
        ModelError: The bundle lacks them, or they are damaged.
        MissingExtraError: The backend's package is not installed.
    """
    if name == "auto":
        name = next((n for n, file in WEIGHTS.items() if file in manifest.files), "torch")
    if name not in WEIGHTS:
        raise ModelError(f"backend {name!r} is not one of auto, {', '.join(WEIGHTS)}")
    file = WEIGHTS[name]
    if file not in manifest.files:
        raise ModelError(f"{folder}: the bundle has no {file} for backend '{name}'. Run: python scripts/package.py")
    verify(folder, manifest, [file] + (["config.json"] if name == "torch" else []))
    if name == "torch":
        return TorchBackend(folder, manifest, device)
    return OpenVinoBackend(folder / file) if name == "openvino" else OnnxBackend(folder / file)


class OnnxBackend:
    """ONNX Runtime on the CPU."""

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("onnxruntime", "train") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"{path}: ONNX Runtime can't load it ({error}). Fetch the bundle again") from error
        self._names = [given.name for given in self._session.get_inputs()]

    def logits(self, batch: Batch) -> Logits:
        """Return shape (rows, n_outputs)."""
        given = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.segments}
        result: Logits = self._session.run(None, {name: given[name] for name in self._names})[0]
        return result


class OpenVinoBackend:
    """OpenVINO on the CPU, in bfloat16 where the processor computes with it."""

    def __init__(self, path: Path) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError("openvino", "openvino") from error
        core = openvino.Core()
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        hints = {
            "INFERENCE_PRECISION_HINT": "bf16" if has_bf16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # several pinned processes would share one core
        }
        try:
            model = core.compile_model(str(path), "CPU", hints)
        except Exception as error:
            raise ModelError(f"{path}: OpenVINO can't load it ({error}). Fetch the bundle again") from error
        self._request, self._lock = model.create_infer_request(), threading.Lock()
        self._names = [given.get_any_name() for given in model.inputs]

    def logits(self, batch: Batch) -> Logits:
        """Return shape (rows, n_outputs)."""
        given = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.segments}
        with self._lock:  # a request answers one at a time
            self._request.infer({name: given[name] for name in self._names})
            result: Logits = self._request.get_output_tensor(0).data.copy()
        return result


class TorchBackend:
    """torch on the CPU or a GPU, in float32."""

    def __init__(self, folder: Path, manifest: Manifest, device: str) -> None:
        try:
            from stance.network import load_network
        except ImportError as error:
            raise MissingExtraError("torch", "train") from error
        self._device = device
        self._network = load_network(folder, manifest.outputs, manifest.pooling).to(device)

    def logits(self, batch: Batch) -> Logits:
        """Return shape (rows, n_outputs)."""
        import torch

        tensors = (torch.from_numpy(a).to(self._device) for a in (batch.ids, batch.mask, batch.segments))
        with torch.inference_mode():
            result: Logits = self._network(*tensors).float().cpu().numpy()
        return result
