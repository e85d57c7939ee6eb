"""The door for other code: load() and predict()."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from stance.core import Example, Prediction
from stance.inference.bundle import MANIFEST, find_bundle
from stance.inference.predictor import Predictor, load_predictor


def load(model: str | os.PathLike[str] | None = None, *, backend: str = "auto", device: str = "cpu") -> Predictor:
    """Load a model.

    Args:
        model: A bundle's folder, or models:/NAME@ALIAS from the MLflow registry; None means
            $STANCE_MODEL, else the newest bundle that training left, else the carried one.
        backend: auto (see stance.inference.backends.choose_backend), openvino, onnx-int8, onnx or torch.
        device: cpu, or cuda for a GPU, where the bundle's torch weights run.

    Raises:
        ModelError: There is no such model, it is damaged, or torch has no such device.
    """
    if model is not None and str(model).startswith("models:/"):
        model = _from_registry(str(model))
    return load_predictor(model, backend=backend, device=device)


def predict(
    text: str,
    *,
    holder: str | None = None,
    target: str | None = None,
    labels: Mapping[str, str] | None = None,
    model: str | os.PathLike[str] | None = None,
    backend: str = "auto",
) -> Prediction:
    """Say what `holder` says about `target` in `text`.

    Args:
        text: One sentence, sometimes two.
        holder: Whose stance; None means the text's obvious holder.
        target: On what; None means whatever undertaking the text is about.
        labels: Name -> meaning in words, for a model trained to be asked about any labels: {"favor": "is for
            the target", "against": "is against the target"}; None means the model's own.
        model: See load; it is loaded once and kept.
        backend: See load.

    Raises:
        DataError: The text, holder, target or labels can't be read.
        ModelError: There is no model, it is damaged, or it answers only its own labels.
    """
    if model is not None and str(model).startswith("models:/"):
        predictor = _kept(str(model), backend, 0)
    else:
        folder = find_bundle(model)
        manifest = folder / MANIFEST
        predictor = _kept(str(folder), backend, manifest.stat().st_mtime_ns if manifest.exists() else 0)
    return (predictor.asking(labels) if labels is not None else predictor).predict(Example(text, target, holder))


@lru_cache(maxsize=4)
def _kept(model: str, backend: str, changed: int) -> Predictor:
    """Keep a loaded model until its manifest changes."""
    return load(model, backend=backend)


def _from_registry(uri: str) -> Path:
    from stance.paths import ROOT
    from stance.tracking import configured, download_model

    return download_model(uri, configured(), ROOT)
