"""Runs end with the right status and hold what was logged; with tracking off nothing happens."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from matplotlib.figure import Figure

from stance.config import compose_settings
from stance.errors import ConfigError, ModelError
from stance.line import Trained
from stance.paths import CONFIGS
from stance.settings import TrainJob
from stance.tracking import allowed, download_model, flat, source_tags, start_run

JOB = compose_settings("train", [], TrainJob)
SETTINGS = replace(JOB.tracking, experiment="statuses")


def test_tracking_flat_names_every_setting_by_its_dotted_key() -> None:
    found = flat(JOB)
    assert found["train.epochs"] == str(JOB.train.epochs)
    assert found["train.augment.swap_states"] == str(JOB.train.augment.swap_states)
    assert found["data.columns.slices"] == ", ".join(JOB.data.columns.slices)
    assert found["labels.names.accept"] == JOB.labels.names["accept"]
    assert all(isinstance(value, str) for value in found.values())


def test_tracking_flat_of_plain_values() -> None:
    assert flat({"a": {"b": 1, "c": []}, "d": None}) == {"a.b": "1", "a.c": "", "d": "None"}


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "FINISHED"), (ValueError, "FAILED"), (SystemExit, "FAILED"), (KeyboardInterrupt, "KILLED")],
)
def test_tracking_runs_end_with_the_right_status(project: Path, error: type[BaseException] | None, status: str) -> None:
    run_id = None
    with pytest.raises(error) if error else nullcontext(), start_run(SETTINGS, project, "run") as tracker:
        run_id = tracker.run_id
        if error:
            raise error("disk on fire")
    run = mlflow.get_run(run_id)
    assert run.info.status == status and mlflow.active_run() is None
    assert run.data.tags.get("error") == ("disk on fire" if error is ValueError else None)


def test_tracking_logs_everything_below_the_project(project: Path) -> None:
    with start_run(SETTINGS, project, "all") as tracker:
        tracker.settings({"a": {"b": 1}, "empty": ""})
        tracker.tags({"stage": "test"})
        tracker.metrics({"x": 1.0}, 1)
        tracker.metrics({"x": 2.0}, 2)
        tracker.figure(Figure(), "blank")
        tracker.text("hello", "note.txt")
        tracker.table([{"a": 1}, {"a": 2}], "rows")
        tracker.table([], "nothing")
        tracker.dataset("d", "train", "f" * 64, "source", [{"text": "x"}])
    client, run = mlflow.MlflowClient(), mlflow.get_run(tracker.run_id)
    assert run.data.params == {"a.b": "1"} and run.data.tags["stage"] == "test"
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "x")] == [(1, 1.0), (2, 2.0)]
    assert {p.name for p in Path(run.info.artifact_uri.removeprefix("file://")).rglob("*") if p.is_file()} == {
        "blank.png", "note.txt", "rows.json",
    }  # fmt: skip
    assert run.info.artifact_uri.startswith(project.as_uri()) or run.info.artifact_uri.startswith(str(project))
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("d-train", "f" * 32)


@pytest.mark.parametrize(
    "config",
    sorted(file.stem for file in (CONFIGS / "data").glob("*.yaml") if file.stem != "published"),
)
def test_tracking_takes_the_settings_of_every_data_set(project: Path, config: str) -> None:
    job = compose_settings("train", [f"data={config}", "data.path=x"], TrainJob)
    with start_run(SETTINGS, project, "all") as tracker:
        tracker.settings(job)
    logged = mlflow.get_run(tracker.run_id).data.params
    assert logged["data.name"] == job.data.name
    assert sum("urls" in name for name in logged) == len(job.data.source.urls)


def test_tracking_goes_on_with_a_run(project: Path) -> None:
    with start_run(SETTINGS, project, "first") as tracker:
        tracker.metrics({"x": 1.0}, 1)
    with start_run(SETTINGS, project, "again", tracker.run_id) as again:
        again.metrics({"x": 2.0}, 2)
    run = mlflow.get_run(tracker.run_id)
    assert again.run_id == tracker.run_id
    assert (run.info.run_name, run.data.metrics["x"], run.info.status) == ("first", 2.0, "FINISHED")


def test_tracking_names_in_other_scripts_stay_apart() -> None:
    assert allowed("test_labels/f1 支持") == "test_labels/f1 支持" and allowed("f1 für?") == "f1 für_"


def test_tracking_off_does_nothing(tmp_path: Path) -> None:
    with start_run(replace(SETTINGS, enabled=False), tmp_path, "off") as tracker:
        tracker.settings(JOB)
        tracker.tags({"a": "b"})
        tracker.metrics({"x": 1.0})
        tracker.figure(Figure(), "blank")
        tracker.text("hello", "note.txt")
        tracker.table([{"a": 1}], "rows")
        tracker.dataset("d", "train", "f" * 64, "source", [{"text": "x"}])
    assert tracker.run_id is None and mlflow.active_run() is None
    assert list(tmp_path.iterdir()) == []


def test_tracking_source_tags_name_the_commit_or_say_unknown(tmp_path: Path) -> None:
    assert source_tags(tmp_path) == {"git.commit": "unknown"}


@pytest.mark.parametrize("uri", ["models:/no-such-model@champion", "runs:/0123456789/bundle"])
def test_tracking_model_that_is_not_registered_is_named(project: Path, uri: str) -> None:
    with pytest.raises(ModelError, match=f"{uri}: not found in the model registry"):
        download_model(uri, SETTINGS, project)


def test_tracking_downloads_the_bundle_of_a_run(trained: Trained, project: Path) -> None:
    folder = download_model(f"runs:/{trained.run_id}/bundle", JOB.tracking, project)
    assert (folder / "manifest.json").read_bytes() == (trained.bundle / "manifest.json").read_bytes()


def test_tracking_takes_labels_with_any_characters(tmp_path: Path) -> None:
    with start_run(SETTINGS, tmp_path, "odd names") as tracker:
        tracker.settings({"labels": {"don't, know": "a label"}})
        tracker.metrics({"test_labels/f1 don't, know": 0.5})
    run = mlflow.get_run(tracker.run_id)
    assert run.data.params["labels.don_t_ know"] == "a label"
    assert run.data.metrics["test_labels/f1 don_t_ know"] == 0.5


def test_tracking_says_what_mlflow_says_in_a_sentence(tmp_path: Path) -> None:
    said = pytest.raises(ConfigError, match=r"tracking: MLflow says: .*tracking=off")
    with said, start_run(SETTINGS, tmp_path, "lost", run_id="no-such-run"):
        pytest.fail("there is no such run")
