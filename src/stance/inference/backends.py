"""Runs a bundle's weights: ONNX Runtime, OpenVINO or torch, whichever is there. Knows ids and logits only."""

import os
from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stance.encoding import Batch
from stance.errors import MissingExtraError, ModelError
from stance.inference.bundle import Manifest, verify

Logits = npt.NDArray[np.float32]
WEIGHTS = {
    "openvino": "model.onnx",
    "onnx-int8": "model.int8.onnx",
    "onnx": "model.onnx",
    "torch": "model.safetensors",
}
"""Backend -> the file it runs, in the order in which `auto` looks at them."""
FASTER_ON = {"openvino": {"avx512_bf16", "amx_bf16"}}
"""Backend -> flags of a processor, as Linux names them; without one of these it is not faster than the next backend."""
INTEGER_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}
"""Flags of x86 processors that add products of eight bits in 32; others clip the sums unless told to be exact."""
SLOW_FUSION = "SkipLayerNormFusion"
"""A rewriting of ONNX Runtime that makes layer norm ten times as slow on the CPU: an eighth of the whole time."""
CPU_INFO = Path("/proc/cpuinfo")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of all cores together that a container gets, of how many; the first is max without a quota."""


class Backend(Protocol):
    """Weights that can be run; `logits` may be called from several threads.

    Attributes:
        streams: Batches that it computes at the same time.
        tokens: Padded tokens of a batch at which it is fastest.
    """

    streams: int
    tokens: int

    def logits(self, batch: Batch) -> Logits:
        """Return shape (rows, n_outputs)."""
        ...


def all_logits(backend: Backend, batches: Sequence[Batch]) -> Iterator[Logits]:
    """Yield the logits of each batch, in order; as many batches at a time are computed as the backend has streams."""
    if min(backend.streams, len(batches)) < 2:
        yield from map(backend.logits, batches)
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(backend.streams) as pool:
            yield from pool.map(backend.logits, batches)


def open_backend(folder: Path, manifest: Manifest, name: str = "auto", device: str = "cpu") -> Backend:
    """Verify and load the weights that backend `name` runs.

    Raises:
        ModelError: The bundle lacks them, or they are damaged.
        MissingExtraError: The backend's package is not installed.
    """
    if name == "auto":
        name = choose_backend(manifest.files, device, find_spec("openvino") is not None, processor_flags())
    if name not in WEIGHTS:
        raise ModelError(f"backend {name!r} is not one of auto, {', '.join(WEIGHTS)}")
    file = WEIGHTS[name]
    if file not in manifest.files:
        able = ", ".join(n for n, its in WEIGHTS.items() if its in manifest.files) or "none"
        raise ModelError(
            f"{folder}: the bundle has no {file} for backend '{name}', only files for: {able}. "
            "Take one of these, or run: python scripts/package.py"
        )
    verify(folder, manifest, [file] + (["config.json"] if name == "torch" else []))
    if name == "torch":
        return TorchBackend(folder, manifest, device)
    return OpenVinoBackend(folder / file) if name == "openvino" else OnnxBackend(folder / file, name == "onnx-int8")


def choose_backend(files: Collection[str], device: str, has_openvino: bool, flags: Collection[str]) -> str:
    """Return the backend that `auto` means: the first of these that fits.

    | backend | where |
    | --- | --- |
    | torch | the device is not the CPU |
    | openvino | OpenVINO is installed, the processor has bf16, and the bundle has model.onnx |
    | onnx-int8 | the bundle has int8 weights |
    | onnx | the bundle has model.onnx |
    | torch | else |

    Args:
        files: Names of the bundle's files.
        device: cpu, or one that torch knows.
        has_openvino: Whether the package is installed.
        flags: What the processor can do, see FASTER_ON.
    """
    if device != "cpu":
        return "torch"
    for name, file in WEIGHTS.items():
        fits = name not in FASTER_ON or (has_openvino and not FASTER_ON[name].isdisjoint(flags))
        if fits and file in files:
            return name
    return "torch"


def processor_flags() -> set[str]:
    """Return what the processor can do, as Linux names it; elsewhere nothing is known, so nothing is returned."""
    try:
        with CPU_INFO.open(encoding="utf-8") as stream:
            return set(next((line for line in stream if line.startswith("flags")), "").split())
    except OSError:
        return set()


def cores() -> int:
    """Return how many cores this process may use: those it is bound to, or fewer by its container's quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, CPU_QUOTA.read_text("utf-8").split())
    except (OSError, ValueError):  # none is set, or not by Linux
        return bound
    return max(1, min(bound, quota // period))


class OnnxBackend:
    """ONNX Runtime on the CPU: all cores on one batch or, for small steps such as those of int8, each on its own."""

    def __init__(self, path: Path, small_steps: bool = False) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("onnxruntime", "train") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1 if small_steps else 0
        self.streams, self.tokens = (cores(), 512) if small_steps else (1, 1024)
        if INTEGER_FLAGS.isdisjoint(processor_flags()):
            options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"], disabled_optimizers=[SLOW_FUSION]
            )
        except Exception as error:
            raise ModelError(f"{path}: ONNX Runtime can't load it ({error}). Fetch the bundle again") from error
        self._names = [given.name for given in self._session.get_inputs()]

    def logits(self, batch: Batch) -> Logits:
        """Return shape (rows, n_outputs)."""
        given = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.segments}
        result: Logits = self._session.run(None, {name: given[name] for name in self._names})[0]
        return result


class OpenVinoBackend:
    """OpenVINO on the CPU, in bfloat16 where the processor computes with it; each core has a batch of its own."""

    tokens = 2048

    def __init__(self, path: Path) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError("openvino", "openvino") from error
        core = openvino.Core()
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        hints: dict[str, object] = {
            "INFERENCE_PRECISION_HINT": "bf16" if has_bf16 else "f32",
            "NUM_STREAMS": cores(),
            "INFERENCE_NUM_THREADS": cores(),
            "ENABLE_CPU_PINNING": False,  # several pinned processes would share one core
        }
        if has_bf16:  # states in int8 on top of bf16 changed four times as many answers
            hints["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 0
        try:
            model = core.compile_model(str(path), "CPU", hints)
        except Exception as error:
            raise ModelError(f"{path}: OpenVINO can't load it ({error}). Fetch the bundle again") from error
        self.streams = cores()
        self._requests: SimpleQueue[Any] = SimpleQueue()  # one answers one batch at a time
        for _ in range(self.streams):
            self._requests.put(model.create_infer_request())
        self._names = [given.get_any_name() for given in model.inputs]

    def logits(self, batch: Batch) -> Logits:
        """Return shape (rows, n_outputs)."""
        given = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.segments}
        request = self._requests.get()
        try:
            request.infer({name: given[name] for name in self._names})
            result: Logits = request.get_output_tensor(0).data.copy()
        finally:
            self._requests.put(request)
        return result


class TorchBackend:
    """torch: on the CPU in float32, on a GPU in bfloat16 where it computes with that."""

    streams = 1

    def __init__(self, folder: Path, manifest: Manifest, device: str) -> None:
        try:
            from stance.network import load_network
        except ImportError as error:
            raise MissingExtraError("torch", "train") from error
        import torch

        self._device, self.tokens = device, 1024 if device == "cpu" else 16384
        try:
            self._network = load_network(folder, manifest.outputs, manifest.pooling).to(device)
        except (AssertionError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"device: torch can't use '{device}' here ({reason}). Take cpu") from error
        self._bf16 = device != "cpu" and torch.cuda.is_bf16_supported()

    def logits(self, batch: Batch) -> Logits:
        """Return shape (rows, n_outputs)."""
        import torch

        tensors = (torch.from_numpy(a).to(self._device) for a in (batch.ids, batch.mask, batch.segments))
        with torch.inference_mode(), torch.autocast(self._device, torch.bfloat16, enabled=self._bf16):
            result: Logits = self._network(*tensors).float().cpu().numpy()
        return result
