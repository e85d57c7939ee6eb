"""The whole line, from a raw file to predictions, on a tiny model."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
from conftest import make_rows, write_jsonl

from stance import Example, load
from stance.config import compose_settings
from stance.core import Array, LabelSet
from stance.errors import ConfigError, DataError
from stance.finished import run_evaluate
from stance.line import Trained, measure, run_name, run_train
from stance.settings import EvaluateJob, TrainJob
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
    assert "| asked without target |" in run.data.tags["mlflow.note.content"], "the table opens the run's page"
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


def test_line_evaluates_a_bundle_and_logs_it(trained: Trained, project: Path) -> None:
    overrides = [f"data.path={project / 'rows.jsonl'}", "data.name=tiny", "bootstrap=20", f"bundle={trained.bundle}"]
    job = compose_settings("evaluate", [*overrides, "part=all", "output=evaluation"], EvaluateJob)
    report, folder = run_evaluate(job, project)
    assert folder == project / "evaluation" and len(report.examples) == len(make_rows())
    assert {file.name for file in folder.iterdir()} >= {"report.md", "report.json", "answers.csv", "confusion.png"}
    assert set(report.baselines) == {"asked without target", "asked without holder"}
    alone = np.mean([load(trained.bundle).predict(e).label == e.label for e in report.examples])
    assert report.scores["accuracy"].value == pytest.approx(alone)
    runs = mlflow.search_runs(experiment_names=["stance"], filter_string="tags.stage = 'evaluate'")
    assert runs["metrics.test/accuracy"][0] == pytest.approx(alone)


def test_line_evaluating_on_data_that_has_grown_is_doubted(trained: Trained, project: Path, tmp_path: Path) -> None:
    grown, said = tmp_path / "rows.jsonl", list[str]()
    write_jsonl(grown, [*make_rows(), {"text": "Peru says no.", "label": "refuse"}])
    for path in (project / "rows.jsonl", grown):
        fixed = [f"data.path={path}", "data.name=tiny", "data.near_duplicate=1.0", "data.split.by=group"]
        fixed += ["bootstrap=20", "tracking=off", f"bundle={trained.bundle}", f"output={tmp_path / 'out'}"]
        run_evaluate(compose_settings("evaluate", fixed, EvaluateJob), project, say=said.append)
    assert len(said) == 1 and "tiny has changed since the bundle was trained on it" in said[0]


def test_line_does_not_resume_on_other_parts(project: Path, make_job: Callable[..., TrainJob]) -> None:
    def stop(step: int, total: int, values: object) -> None:
        if step:
            raise KeyboardInterrupt

    overrides = ["bundle=parted", "tracking=off", "train.checkpoint_steps=1"]
    with pytest.raises(KeyboardInterrupt):
        run_train(make_job(project / "rows.jsonl", *overrides), project, say=quiet, on_log=stop)
    other = make_job(project / "rows.jsonl", *overrides, "data.split.seed=1", "train.resume=true")
    with pytest.raises(ConfigError, match="of other settings, data or seed"):
        run_train(other, project, say=quiet, on_log=quiet)


def test_line_data_is_not_read_from_where_it_is_prepared(project: Path, make_job: Callable[..., TrainJob]) -> None:
    own = project / "data" / "processed" / "mine" / "raw.parquet"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    with pytest.raises(DataError, match=r"raw\.parquet: lies in .*mine, which preparing writes anew"):
        run_train(make_job(own, "data.name=mine", "tracking=off"), project, say=quiet, on_log=quiet)
    assert own.read_bytes() == b"mine"


def test_line_a_folder_of_other_things_is_said_before_training(
    project: Path, make_job: Callable[..., TrainJob]
) -> None:
    (project / "models" / "notes").mkdir(parents=True)
    (project / "models" / "notes" / "own.txt").write_text("mine")
    job = make_job(project / "rows.jsonl", "bundle=notes", "tracking=off")
    with pytest.raises(ConfigError, match="notes: holds other things and is left alone"):
        run_train(job, project, say=quiet, on_log=lambda *values: pytest.fail("it trained"))


class Naming:
    """Accepts where a word stands in the text, else refuses."""

    labels = LabelSet(("accept", "refuse"))
    manifest = SimpleNamespace(threshold=0.9)

    def __init__(self, word: str) -> None:
        self.word = word

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        return np.array([[1.0, 0.0] if self.word in e.text else [0.0, 1.0] for e in examples])


@pytest.mark.parametrize(("word", "share"), [("join", 1.0), ("Kenya", 0.5)])
def test_line_measures_how_answers_bear_other_states(word: str, share: float) -> None:
    texts = ["Kenya will join.", "Nobody will join.", "Peru will join."]
    report = measure(Naming(word), [Example(t, label="accept") for t in texts], {}, 10)  # type: ignore[arg-type]
    assert report.scores["swap_unchanged"].value == share, "of the two texts that name a state"


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
