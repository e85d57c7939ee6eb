"""The bundle as an MLflow python model, from code: this file is logged beside the bundle and run as it is."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import pandas
from mlflow.models import ModelSignature, infer_signature, set_model
from mlflow.types import ColSpec, Schema

from stance.core import Example, Prediction
from stance.errors import ModelError
from stance.inference.predictor import load_predictor

INPUT_EXAMPLE = pandas.DataFrame(
    [
        {
            "text": "No participation in peacekeeping forces is envisaged.",
            "holder": "Azerbaijan",
            "target": "joining the force",
        }
    ]
)
REQUIREMENTS = ["numpy", "onnxruntime", "tokenizers", "pandas"]


class StanceModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Rows with text, and optionally holder and target, in; one row of answers for each out."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged as the artifact `bundle`."""
        self._predictor = load_predictor(context.artifacts["bundle"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Return label, confidence, abstained, tokens_cut and p_LABEL (type hints would narrow what MLflow serves)."""
        rows = model_input.to_dict("records")
        examples = [Example(row["text"], _word(row.get("target")), _word(row.get("holder"))) for row in rows]
        return pandas.DataFrame([_row(p) for p in self._predictor.predict_many(examples)])


def log_bundle(path: Path, *, register_as: str | None = None, alias: str | None = None) -> str:
    """Log a bundle to the active run, load it back and check that it answers as the bundle does.

    Args:
        path: The bundle's folder.
        register_as: Name in the registry; None: not registered.
        alias: Given to the registered version.

    Returns:
        The URI of the logged model.

    Raises:
        ModelError: The model that was logged answers otherwise than the bundle.
    """
    expected = pandas.DataFrame([_row(_direct(path, row)) for row in INPUT_EXAMPLE.to_dict("records")])
    with warnings.catch_warnings(action="ignore"):
        info = mlflow.pyfunc.log_model(
            name="bundle",
            python_model=__file__,
            artifacts={"bundle": str(path)},
            signature=_signature(expected),
            input_example=INPUT_EXAMPLE,
            pip_requirements=REQUIREMENTS,
            code_paths=[str(Path(__file__).parents[1])],
            registered_model_name=register_as,
        )
        answer = mlflow.pyfunc.load_model(info.model_uri).predict(INPUT_EXAMPLE)
    if not answer["label"].equals(expected["label"]):
        raise ModelError(f"{info.model_uri}: answers {list(answer['label'])}, the bundle {list(expected['label'])}")
    if register_as and alias:
        mlflow.MlflowClient().set_registered_model_alias(register_as, alias, info.registered_model_version)
    return str(info.model_uri)


def _signature(expected: pandas.DataFrame) -> ModelSignature:
    asked = [ColSpec("string", name, required=name == "text") for name in INPUT_EXAMPLE]
    return ModelSignature(Schema(asked), infer_signature(expected).inputs)


def _direct(path: Path, row: Mapping[Any, Any]) -> Prediction:
    return load_predictor(path).predict(Example(row["text"], row["target"], row["holder"]))


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _row(prediction: Prediction) -> dict[str, Any]:
    return {
        "label": prediction.label,
        "confidence": prediction.confidence,
        "abstained": prediction.abstained,
        "tokens_cut": prediction.tokens_cut,
        **{f"p_{label}": p for label, p in prediction.probabilities.items()},
    }


set_model(StanceModel())
