"""The whole line, from a raw file to predictions, on a tiny model."""

import json
from collections.abc import Callable
from pathlib import Path

import mlflow
import pyarrow
import pyarrow.parquet as parquet
import pytest
from conftest import make_rows

from stance import Example, load
from stance.errors import ConfigError
from stance.line import Trained, run_name, run_train
from stance.settings import TrainJob
from stance.tracking import open_store


def quiet(*values: object) -> None:
    """Say nothing."""


@pytest.fixture(autouse=True)
def the_store_of_the_shared_training(trained: Trained, project: Path, make_job: Callable[..., TrainJob]) -> None:
    """Point MLflow where `trained` was logged: other tests may have pointed it elsewhere."""
    open_store(make_job(project / "rows.jsonl").tracking, project)


def test_line_learns_what_the_rows_show(trained: Trained) -> None:
    assert trained.report.scores["macro_f1"].value > 0.8
    assert trained.report.scores["macro_f1"].value > trained.report.baselines["majority"]["macro_f1"].high


def test_line_leaves_a_bundle_that_predicts(trained: Trained) -> None:
    predictor = load(trained.bundle)
    answers = [answer.label for answer in predictor.predict_many(trained.report.examples)]
    reported = [trained.report.labels[best] for best in trained.report.probabilities.argmax(axis=1)]
    assert answers == reported
    assert set(predictor.manifest.files) >= {"model.safetensors", "model.onnx", "tokenizer.json", "config.json"}


def test_line_logs_a_finished_run_with_scores_and_figures(trained: Trained) -> None:
    run = mlflow.get_run(trained.run_id)
    assert run.info.status == "FINISHED"
    assert "| target-blind |" in run.data.tags["mlflow.note.content"], "the table opens the run's page"
    assert run.data.params["train.epochs"] == "12"
    assert run.data.metrics["test/macro_f1"] == pytest.approx(trained.report.scores["macro_f1"].value)
    assert "baselines/macro_f1 majority" in run.data.metrics
    names = {file.path for file in mlflow.MlflowClient().list_artifacts(trained.run_id, "figures")}
    assert {f"figures/{name}.png" for name in ("confusion", "reliability", "risk_coverage", "learning_curve")} <= names
    assert {part.dataset.name for part in run.inputs.dataset_inputs} == {"tiny-train", "tiny-dev", "tiny-test"}


def test_line_marks_interrupted_runs_killed_and_resumes_them(project: Path, make_job: Callable[..., TrainJob]) -> None:
    data = project / "rows.jsonl"

    def stop(step: int, total: int, values: object) -> None:
        if step > 12:
            raise KeyboardInterrupt

    overrides = ["bundle=stopped", "train.epochs=3", "train.checkpoint_steps=2"]
    with pytest.raises(KeyboardInterrupt):
        run_train(make_job(data, *overrides), project, say=quiet, on_log=stop)
    killed = mlflow.search_runs(experiment_names=["stance"], filter_string="tags.bundle = 'stopped'")
    assert list(killed["status"]) == ["KILLED"]
    assert not (project / "models" / "stopped").exists()
    kept = project / "models" / ".training-stopped" / "state.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"seconds": 1000.0}))
    resumed = run_train(make_job(data, *overrides, "train.resume=true"), project, say=quiet, on_log=quiet)
    assert resumed.run_id == killed["run_id"][0]
    assert resumed.seconds > 1000, "the seconds before the interruption count"
    whole = run_train(make_job(data, *overrides, "bundle=whole"), project, say=quiet, on_log=quiet)
    assert (
        load(resumed.bundle).manifest.files["model.safetensors"]
        == load(whole.bundle).manifest.files["model.safetensors"]
    )


@pytest.mark.parametrize(("steps", "expected"), [("0", 6), ("50", 3), ("1", 1)])
def test_line_names_a_run_by_the_passes_that_it_makes(
    steps: str, expected: int, project: Path, make_job: Callable[..., TrainJob]
) -> None:
    job = make_job(project / "rows.jsonl", "bundle=b", "train.epochs=6", f"train.most_steps={steps}")
    rows = 16 * job.train.batch_size
    assert f" epochs={expected} " in run_name(job, rows), "50 steps are three passes of sixteen batches"


def test_line_refuses_to_resume_what_never_started(project: Path, make_job: Callable[..., TrainJob]) -> None:
    job = make_job(project / "rows.jsonl", "bundle=never", "train.resume=true", "tracking=off")
    with pytest.raises(ConfigError, match="no checkpoint"):
        run_train(job, project, say=quiet, on_log=quiet)


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "/tmp/x"])
def test_line_bundle_must_be_a_plain_folder_name(project: Path, make_job: Callable[..., TrainJob], name: str) -> None:
    with pytest.raises(ConfigError, match="must be a folder name such as my-model"):
        run_train(make_job(project / "rows.jsonl", f"bundle='{name}'"), project, say=quiet, on_log=quiet)


@pytest.mark.parametrize("fields", [(), ("target",), ("holder", "target")])
def test_line_trains_on_own_columns_and_ordinal_labels(
    fields: tuple[str, ...], tmp_path: Path, make_job: Callable[..., TrainJob]
) -> None:
    grades = {"accept": "high", "conditional": "mid", "refuse": "low"}
    rows = [
        {"sentence": row["text"], "grade": grades[row["label"]]} | {f"my {name}": row[name] for name in fields}
        for row in make_rows(150)
        if row["label"] in grades
    ]
    file = tmp_path / "my.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    named = [f"data.columns.{name}=my {name}" for name in fields]
    own = ["data.columns.text=sentence", "data.columns.label=grade", 'labels.names={low: "", mid: "", high: ""}']
    job = make_job(file, *named, *own, "labels.name=mine", "bundle=mine", "tracking=off", "train.epochs=2")
    trained = run_train(job, tmp_path, say=quiet, on_log=quiet)
    predictor = load(trained.bundle)
    assert predictor.manifest.input_form == ("fields" if fields else "given"), "without a question, the text alone"
    answer = predictor.predict(Example(rows[0]["sentence"]))
    assert list(answer.probabilities) == ["low", "mid", "high"]
    asked = {(e.holder is None, e.target is None) for e in trained.report.examples}
    assert asked == {("holder" not in fields, "target" not in fields)}
