"""Reads a sentence and says what position somebody takes in it on something."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stance.api import load, predict
    from stance.core import Example, LabelSet, Prediction
    from stance.errors import StanceError
    from stance.inference.predictor import Predictor

_HOMES = {
    "predict": "api",
    "load": "api",
    "Predictor": "inference.predictor",
    "Example": "core",
    "LabelSet": "core",
    "Prediction": "core",
    "StanceError": "errors",
}

__all__ = ["Example", "LabelSet", "Prediction", "Predictor", "StanceError", "load", "predict"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import stance` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stance' has no attribute {name!r}")
    return getattr(import_module(f"stance.{_HOMES[name]}"), name)
