"""The bundle as an MLflow model: it loads from the store and answers as the bundle does."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pandas
import pytest

from stance import Predictor, load, paths
from stance.config import compose_settings
from stance.core import Example
from stance.errors import ConfigError, ModelError
from stance.finished import run_package
from stance.line import Trained
from stance.settings import PackageJob

ROWS = [
    {"text": "Kenya rejects the force.", "holder": "Kenya", "target": "the force"},
    {"text": "Peru is weighing the talks.", "holder": "Peru", "target": "the talks"},
]


@pytest.fixture(scope="module")
def logged(trained: Trained) -> Any:
    return mlflow.pyfunc.load_model(f"runs:/{trained.run_id}/bundle")


@pytest.fixture(scope="module")
def predictor(trained: Trained) -> Predictor:
    return load(trained.bundle)


def test_pyfunc_answers_as_the_bundle(logged: Any, predictor: Predictor) -> None:
    got = logged.predict(pandas.DataFrame(ROWS))
    expected = list(predictor.predict_many([Example(r["text"], r["target"], r["holder"]) for r in ROWS]))
    assert list(got["label"]) == [answer.label for answer in expected]
    assert list(got["confidence"]) == pytest.approx([answer.confidence for answer in expected])
    assert list(got.columns[:4]) == ["label", "confidence", "abstained", "tokens_cut"]
    assert set(got.columns[4:]) == {f"p_{label}" for label in predictor.labels.names}


@pytest.mark.parametrize(
    "row",
    [{}, {"holder": "Kenya"}, {"target": "the force"}, {"holder": "", "target": ""}, {"holder": None, "target": None}],
)
def test_pyfunc_optional_columns_may_be_missing_or_empty(
    logged: Any, predictor: Predictor, row: dict[str, str | None]
) -> None:
    text = "Kenya rejects the force."
    expected = predictor.predict(Example(text, row.get("target") or None, row.get("holder") or None))
    frame = pandas.DataFrame([{"text": text, **row}])
    for name in row:
        frame[name] = frame[name].astype("object")
    assert logged.predict(frame)["confidence"][0] == pytest.approx(expected.confidence)


def test_pyfunc_needs_a_text(logged: Any) -> None:
    with pytest.raises(Exception, match="text"):
        logged.predict(pandas.DataFrame([{"holder": "Kenya"}]))


def test_pyfunc_says_what_it_takes_and_gives(logged: Any) -> None:
    signature = logged.metadata.signature
    assert {c.name: c.required for c in signature.inputs} == {"text": True, "holder": False, "target": False}
    assert signature.outputs.input_names()[:2] == ["label", "confidence"]


@pytest.fixture
def make_package_job(project: Path) -> Callable[..., PackageJob]:
    def make(*overrides: str) -> PackageJob:
        fixed = [
            f"data.path={project / 'rows.jsonl'}",
            "data.name=tiny",
            "data.near_duplicate=1.0",
            "data.split.by=group",
        ]
        return compose_settings("package", [*fixed, "package.quantize=false", *overrides], PackageJob)

    return make


def test_pyfunc_registered_model_is_found_by_its_alias(
    trained: Trained, project: Path, make_package_job: Callable[..., PackageJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(trained.bundle, project / "models" / "registered"))
    path, parity, uri = run_package(make_package_job("bundle=models/registered"), project)
    assert path == copy and parity["onnx"].agreement == 1.0 and uri is not None
    monkeypatch.setattr(paths, "ROOT", project)
    registered = load("models:/stance@champion")
    assert registered.manifest.labels == list(trained.report.labels)
    assert registered.predict("No.").label == load(path).predict("No.").label
    with pytest.raises(ModelError, match="not found in the model registry"):
        load("models:/stance@nobody")


def test_pyfunc_bundle_of_other_labels_is_not_packaged(
    trained: Trained, project: Path, make_package_job: Callable[..., PackageJob]
) -> None:
    with pytest.raises(ConfigError, match=r"answers accept, conditional.* Set labels= to its label set"):
        run_package(make_package_job(f"bundle={trained.bundle}", "labels=favor_against"), project)
