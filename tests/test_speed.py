"""The speed job on the tiny bundle: a row for each way, scores beside speeds, files, MLflow. No timing is asserted."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from conftest import make_rows, write_jsonl

from stance import speed, timing
from stance.config import compose_settings
from stance.core import Array, Example
from stance.cost.job import Costs, run_part
from stance.cost.part import Say
from stance.cost.quality import Point, in_turn, measure_quality
from stance.errors import ConfigError, ModelError, StanceError
from stance.inference.backends import WEIGHTS
from stance.inference.bundle import copy_files, read_manifest, save_bundle
from stance.line import Trained
from stance.settings import SpeedJob
from stance.speed import Speed, measure_predicting

Make = Callable[..., SpeedJob]


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def make(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that composes a quick measurement of the tiny bundle, with overrides."""
    data = write_jsonl(tmp_path_factory.mktemp("rows") / "rows.jsonl", make_rows(150))

    def compose(*overrides: str) -> SpeedJob:
        fixed = [
            f"data.path={data}",
            "data.name=quick",
            "data.near_duplicate=1.0",
            "data.split.by=group",
            f"bundle={trained.bundle}",
            "rows=12",
            "rounds=1",
            "single=3",
            "tracking=off",
        ]
        return compose_settings("speed", [*fixed, *overrides], SpeedJob)

    return compose


def measured(job: SpeedJob, root: Path, *, say: Say, command: str = "") -> Costs:
    return run_part("predicting", measure_predicting, job, root, say=say, command=command)


def rows_of(done: Costs) -> list[Speed]:
    return [Speed(**row) for row in done.part.numbers["rows"]]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def done(make: Make, project: Path) -> Costs:
    """One quick measurement, tracked."""
    return measured(make("tracking=mlflow"), project, say=quiet, command="benchmark.py speed rows=12")


def test_speed_has_a_row_for_each_way_with_its_scores(done: Costs, trained: Trained) -> None:
    there = [name for name, file in WEIGHTS.items() if file in read_manifest(trained.bundle).files]
    missing = [name for name in there if f"- {name} is left out: the package" in done.page]
    assert [row.way for row in rows_of(done)] == [*timing.PLAIN, *(name for name in there if name not in missing)]
    for row in rows_of(done):
        assert row.macro_f1 is not None and row.agreement is not None and row.macro_f1 > 0.5
        assert row.rate[1] <= row.rate[0] <= row.rate[2] and row.p50_ms <= row.p99_ms
        assert f"| {row.way} |" in done.page
    by_name = {row.way: row for row in rows_of(done)}
    reference = by_name[timing.REFERENCE]
    assert reference.ratio == reference.agreement == 1
    one = by_name["transformers batch 1"]
    assert (one.p50_ms, one.cold_s) == (reference.p50_ms, reference.cold_s), (
        "a text by itself is measured once for both"
    )
    for exact in ("transformers batch 1", "onnx", "torch"):
        assert by_name[exact].agreement == 1, "the same weights give the same answers"


def test_speed_leaves_table_numbers_and_figure(done: Costs) -> None:
    assert {file.name for file in done.folder.iterdir()} == {"predicting.md", "predicting.json", "predicting.png"}
    assert (done.folder / "predicting.md").read_text("utf-8") == done.page
    assert "Made by `benchmark.py speed rows=12`" in done.page and "- Limit bf16: " in done.page
    whole = json.loads((done.folder / "predicting.json").read_text("utf-8"))
    assert [row["way"] for row in whole["rows"]] == [row.way for row in rows_of(done)]
    assert "| stance | " in done.page and whole["install_mb"]["stance"] > 20
    assert whole["limits"] == done.part.numbers["limits"] and whole["settings"]["rows"] == 12


def test_speed_mlflow_has_metrics_table_and_figure(done: Costs) -> None:
    run = mlflow.get_run(done.run_id)
    assert run.info.status == "FINISHED" and run.data.tags["stage"] == "speed"
    assert {"speed/torch sentences_s", "speed/torch macro_f1", "speed/limit fp32"} <= run.data.metrics.keys()
    files = {file.path for file in mlflow.MlflowClient().list_artifacts(done.run_id)}
    assert {"predicting.md", "figures"} <= files


def test_speed_light_bundle_is_measured_beside_a_fresh_network(
    make: Make, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy = ("model.safetensors", "config.json", "model.onnx")
    light, manifest = tmp_path / "light", read_manifest(trained.bundle)
    save_bundle(light, manifest, lambda draft: copy_files(trained.bundle, draft, without=heavy))
    monkeypatch.setattr(speed, "time_cold", lambda folder, one, text: one.cold.append(1.0))
    said: list[str] = []
    found = measured(make(f"bundle={light}", "rounds=2"), tmp_path, say=said.append)
    rows = {row.way: row for row in rows_of(found)}
    assert list(rows) == [*timing.PLAIN, "onnx-int8"] and found.run_id is None
    assert rows["onnx-int8"].macro_f1 is not None and rows["onnx-int8"].agreement is None
    assert rows[timing.REFERENCE].macro_f1 is None
    steps = [line.split(": ")[1] for line in said if line.startswith("round ")]
    assert steps == [*rows, *list(rows)[::-1]], "the second round goes the other way round"
    assert "- torch is left out: the bundle has no model.safetensors" in found.page
    assert "the transformers rows run a fresh network" in found.page


def test_speed_fresh_processes_start_in_the_first_rounds_alone(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def cold(folder: Path, one: timing.Timed, text: str) -> None:
        started.append(one.name)
        one.cold.append(1.0)

    monkeypatch.setattr(speed, "time_cold", cold)
    found = measured(make("rounds=3", "cold=2"), tmp_path, say=quiet)
    assert sorted(started) == sorted(2 * [row.way for row in rows_of(found) if row.way != timing.REFERENCE])


def test_speed_products_are_those_of_every_token(trained: Trained) -> None:
    shapes = timing.products(timing.plain_network(trained.bundle))
    assert sorted(set(shapes)) == [(32, 32), (32, 64), (64, 32)]
    assert len(shapes) == 2 * 6, "four of attention and two more in each layer; the pooler is not used"


def test_speed_a_process_that_fails_is_a_sentence(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a fresh process could not answer with 'onnx'"):
        timing.time_cold(tmp_path, timing.Timed("onnx"), "Peru rejects the treaty.")


def test_speed_quality_sets_scores_beside_speeds(make: Make, trained: Trained, tmp_path: Path) -> None:
    other = tmp_path / "other"
    save_bundle(other, read_manifest(trained.bundle), lambda draft: copy_files(trained.bundle, draft))
    job = make("rounds=2", f"quality.bundles=[{other}]", "quality.cascade=[0,1]")
    done = run_part("quality", measure_quality, job, tmp_path, say=quiet)
    points = [Point(**row) for row in done.part.numbers["rows"]]  # type: ignore[attr-defined]
    first, same, none, every, linear = points
    assert (first.way, same.way, linear.way) == (trained.bundle.name, "other", "tfidf+logistic")
    assert first.ratio == first.agreement == same.agreement == 1 and first.macro_f1 == same.macro_f1
    assert none.agreement > 0.9 and every.macro_f1 == linear.macro_f1 and every.linear_share > 0.8
    assert (done.folder / "quality.png").stat().st_size > 1000 and "| other |" in done.page


def test_speed_cascade_asks_the_slow_one_where_the_quick_one_is_unsure() -> None:
    quick = lambda examples: np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])[: len(examples)]  # noqa: E731
    asked: list[Example] = []

    def slow(examples: Sequence[Example]) -> Array:
        asked.extend(examples)
        return np.tile([0.0, 1.0], (len(examples), 1))

    examples = [Example("a"), Example("b"), Example("c")]
    assert in_turn(quick, slow, 0.8)(examples).tolist() == [[0.9, 0.1], [0.0, 1.0], [0.2, 0.8]]
    assert asked == [examples[1]]


def test_speed_quality_of_two_bundles_of_one_name_is_refused(make: Make, trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two bundles have the same folder name"):
        measure_quality(make(f"quality.bundles=[{trained.bundle}]"), tmp_path, quiet)


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        (["bundle=nowhere"], ModelError, "nowhere: no such bundle folder"),
        (["labels.names={yes: '', no: ''}"], ConfigError, "labels: got yes, no; the bundle .* answers "),
        (["rows=0"], ConfigError, "rows must be from 1 to"),
    ],
)
def test_speed_wrong_input_is_a_sentence(
    make: Make, tmp_path: Path, overrides: list[str], error: type[StanceError], said: str
) -> None:
    with pytest.raises(error, match=said):
        measured(make(*overrides), tmp_path, say=quiet)


def test_speed_model_for_any_labels_is_refused(make: Make, trained: Trained, tmp_path: Path) -> None:
    manifest = read_manifest(trained.bundle)
    asked = replace(manifest, kind="hypotheses", definitions={name: name for name in manifest.labels})
    save_bundle(tmp_path / "any", asked, lambda draft: None)
    with pytest.raises(ModelError, match=r"any: answers any labels\. Give bundle="):
        measured(make(f"bundle={tmp_path / 'any'}"), tmp_path, say=quiet)
    with pytest.raises(ModelError, match=r"any: answers any labels\. Give bundle="):
        measure_quality(make(f"quality.bundles=[{tmp_path / 'any'}]"), tmp_path, quiet)
