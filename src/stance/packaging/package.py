"""Trained weights into a bundle, and ONNX files beside them, once these are shown to answer as the weights do."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stance.core import Array, Example
from stance.encoding import Batch
from stance.errors import ModelError
from stance.evaluation.calibration import Calibration
from stance.evaluation.metrics import Labels, macro_f1_of
from stance.inference.backends import WEIGHTS
from stance.inference.bundle import FORMAT_VERSION, Manifest, copy_files, now, read_manifest, save_bundle
from stance.inference.predictor import load_predictor
from stance.network import StanceNetwork, load_network, save_network
from stance.packaging.export import export_onnx
from stance.packaging.int8 import quantize_int8
from stance.packaging.rounding import watch
from stance.settings import ModelSettings, PackageSettings
from stance.training.finetuning import FineTuned

WATCHED = 256
"""Most rows whose way through the network int8 weights are fitted to."""


@dataclass(frozen=True)
class Parity:
    """How an exported backend compares with the trained weights on the same rows.

    Attributes:
        difference: Largest absolute difference of a logit.
        agreement: Share of rows with the same label, 0 to 1.
        f1_loss: Macro-F1 of the trained weights minus that of the backend.
    """

    difference: float
    agreement: float
    f1_loss: float


def save_tuned(bundle: Path, tuned: FineTuned, fitted: Calibration, model: ModelSettings, **told: Any) -> None:
    """Write a bundle with the trained weights; `told` are the fields of its Manifest that no other argument holds."""
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        created=now(),
        max_length=tuned.tokenizer.max_length,
        input_form=tuned.tokenizer.input_form,
        pooling=model.pooling,
        pad_id=tuned.tokenizer.pad_id,
        temperature=fitted.temperature,
        threshold=fitted.threshold,
        encoder=model.encoder,
        **told,
    )

    def write(draft: Path) -> None:
        save_network(tuned.network, draft)
        (draft / "tokenizer.json").write_text(tuned.tokenizer.to_json(), encoding="utf-8")

    save_bundle(bundle, manifest, write)


def add_onnx(path: Path, examples: Sequence[Example], settings: PackageSettings) -> dict[str, Parity]:
    """Add ONNX weights to the bundle at `path`; int8 ones only if they pass the gate.

    Args:
        path: A bundle with torch weights.
        examples: Labelled rows on which to compare, best the dev part; int8 weights are fitted to some of them.
        settings: The gates.

    Returns:
        The comparison for each backend that was tried.

    Raises:
        ModelError: The plain ONNX export differs from the trained weights, or another process wrote the bundle
            meanwhile; the bundle stays as it was.
    """
    manifest = read_manifest(path)
    if WEIGHTS["torch"] not in manifest.files:
        raise ModelError(
            f"{path}: has no {WEIGHTS['torch']}, so there is nothing to export: it was shipped without. "
            "Package the bundle that training left"
        )
    network = load_network(path, manifest.outputs, manifest.pooling)
    predictor = load_predictor(path, backend="torch")
    trained = predictor.logits(examples)
    some = list(predictor.batches(examples[:: -(-len(examples) // WATCHED)])) if settings.quantize else []
    gold = manifest.label_set.indices(examples)
    with TemporaryDirectory() as scratch:
        candidate = Path(scratch) / "bundle"
        save_bundle(candidate, manifest, lambda draft: _export(path, draft, network, some))
        tried = ("onnx", "onnx-int8") if settings.quantize else ("onnx",)
        measured = {b: _compare(trained, load_predictor(candidate, backend=b).logits(examples), gold) for b in tried}
        if measured["onnx"].difference > settings.max_difference:
            raise ModelError(
                f"{path}: the ONNX export differs by {measured['onnx'].difference:.2g} from the trained weights; "
                f"expected at most {settings.max_difference:g}. The bundle is left as it was"
            )
        if read_manifest(path) != manifest:
            raise ModelError(
                f"{path}: was replaced while it was being packaged, and is left as it is now. Package again"
            )
        failed = [WEIGHTS[b] for b in tried if b == "onnx-int8" and not passes(measured[b], settings)]
        save_bundle(path, manifest, lambda draft: copy_files(candidate, draft, failed))
    return measured


def ship(path: Path, target: Path) -> Path:
    """Write the part of a bundle that predicting needs to `target`: manifest, tokenizer and one ONNX file.

    With config.json beside them the encoder can be trained on, see stance.encoders.

    Raises:
        ModelError: The bundle has no ONNX weights.
    """
    manifest = read_manifest(path)
    weights = next((WEIGHTS[b] for b in ("onnx-int8", "onnx") if WEIGHTS[b] in manifest.files), None)
    if weights is None:
        raise ModelError(f"{path}: has no ONNX weights to ship. Run: python scripts/package.py bundle={path}")
    card = target / "README.md"

    def write(draft: Path) -> None:
        for file in [path / weights, path / "tokenizer.json", path / "config.json", *([card] if card.exists() else [])]:
            shutil.copy2(file, draft / file.name)

    return save_bundle(target, replace(manifest, name=target.name), write)


def passes(parity: Parity, settings: PackageSettings) -> bool:
    """Tell whether int8 weights are close enough to be used."""
    return parity.agreement >= settings.min_agreement and parity.f1_loss <= settings.max_f1_loss


def _export(path: Path, draft: Path, network: StanceNetwork, some: Sequence[Batch]) -> None:
    """Write both ONNX files; without batches to fit it to, no int8."""
    copy_files(path, draft, without=[WEIGHTS["onnx"], WEIGHTS["onnx-int8"]])
    export_onnx(network, draft / WEIGHTS["onnx"])
    if some:
        quantize_int8(draft / WEIGHTS["onnx"], draft / WEIGHTS["onnx-int8"], watch(network, some))


def _compare(trained: Array, exported: Array, gold: Labels) -> Parity:
    n_labels = trained.shape[1]
    one, other = trained.argmax(axis=1), exported.argmax(axis=1)
    lost = macro_f1_of(gold, one, n_labels) - macro_f1_of(gold, other, n_labels)
    return Parity(float(np.abs(trained - exported).max()), float((one == other).mean()), float(lost))
