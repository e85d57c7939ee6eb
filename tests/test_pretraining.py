"""The job: an encoder that train accepts, a bundle that answers labels it never saw; mistakes are sentences."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from conftest import make_rows, write_jsonl

from stance import load, predict
from stance.cli import main
from stance.config import compose_settings
from stance.core import Example
from stance.errors import ConfigError, DataError, ModelError
from stance.finished import run_evaluate
from stance.inference import bundle
from stance.line import Trained, run_train
from stance.packaging.package import add_onnx
from stance.pretraining import NOTE, Pretrained, run_pretrain
from stance.settings import EvaluateJob, PackageSettings, PretrainJob, TrainJob

SIDES = {"favor": "gladly joins", "against": "rejects"}
EXAMPLES = [Example(r["text"], r["target"], r["holder"]) for r in make_rows(12, seed=5)]
Make = Callable[..., PretrainJob]


def quiet(*values: object) -> None:
    """Say nothing."""


@pytest.fixture(scope="session")
def sets(project: Path) -> Path:
    """The project folder, with rows for `participation`, and for `circa` as it is published."""
    root = project
    names = {
        "accept": "yes",
        "refuse": "no",
        "conditional": "yes, subject to some conditions",
        "undecided": "in the middle, neither yes nor no",
        "none": "other",
    }
    rows = [
        {
            "id": str(i),
            "text": r["text"],
            "target": f"Does {r['holder']} join {r['target']}?",
            "label": names[r["label"]],
        }
        for i, r in enumerate(make_rows(150, seed=7))
    ]
    (root / "circa").mkdir()
    write_jsonl(root / "circa" / "train.jsonl", rows[:110])
    write_jsonl(root / "circa" / "test.jsonl", rows[110:])
    return root


@pytest.fixture(scope="session")
def make(tiny_encoder: Path, sets: Path) -> Make:
    """Return a function that composes a small run on both sets, with overrides."""

    def composed(*overrides: str) -> PretrainJob:
        fixed = [
            f"sets.participation={sets / 'rows.jsonl'}",
            f"sets.circa={sets / 'circa'}",
            f"model.encoder={tiny_encoder}",
            "model.max_length=64",
            "train.epochs=2",
            "train.learning_rate=3e-3",
            "train.head_learning_rate=1e-2",
            "train.layer_decay=1",
            "train.freeze_embeddings=false",
            "train.precision=fp32",
            "train.augment.swap_states=0",
            "device=cpu",
        ]
        return compose_settings("pretrain", [*fixed, *overrides], PretrainJob)

    return composed


@pytest.fixture(scope="session")
def base(sets: Path, make: Make) -> Pretrained:
    """An encoder that learned both sets, tracked in MLflow."""
    return run_pretrain(make("output=base"), sets, say=quiet, on_log=quiet)


@pytest.fixture(scope="session")
def zero(sets: Path, make: Make) -> Pretrained:
    """A bundle that learned participation as hypotheses and was asked about circa."""
    job = make("objective=hypotheses", "hold_out=circa", "train.epochs=8", "reword=0", "output=zero", "tracking=off")
    return run_pretrain(job, sets, say=quiet, on_log=quiet)


def test_pretraining_leaves_an_encoder_that_train_accepts(
    base: Pretrained, sets: Path, make_job: Callable[..., TrainJob]
) -> None:
    names = {file.name for file in base.path.iterdir()}
    assert names >= {NOTE, "config.json", "model.safetensors", "tokenizer.json"}
    overrides = [f"model.encoder={base.path}", "train.epochs=1", "bundle=after", "tracking=off"]
    trained = run_train(make_job(sets / "rows.jsonl", *overrides), sets, say=quiet, on_log=quiet)
    assert load(trained.bundle).manifest.encoder == str(base.path)


def test_pretraining_notes_sets_digests_and_dev_scores(base: Pretrained) -> None:
    note = json.loads((base.path / NOTE).read_text())
    assert list(note["sets"]) == ["participation", "circa"]
    assert (
        note["sets"]["circa"]["labels"] == ["yes", "no", "conditional", "between"] and note["sets"]["circa"]["digest"]
    )
    assert note["dev"]["dev/macro_f1"] == pytest.approx(
        (note["dev"]["dev_sets/participation"] + note["dev"]["dev_sets/circa"]) / 2, abs=1e-3
    )
    assert "| circa |" in base.table and str(base.path.parents[1]) not in json.dumps(note), "no folder of this machine"


def test_pretraining_logs_a_finished_run(base: Pretrained) -> None:
    run = mlflow.get_run(base.run_id)
    assert run.info.status == "FINISHED" and run.data.tags["stage"] == "pretrain"
    assert "dev_sets/circa" in run.data.metrics and "| circa |" in run.data.tags["mlflow.note.content"]


def test_pretraining_resumes_to_the_same_weights(sets: Path, make: Make) -> None:
    def stop(step: int, total: int, values: object) -> None:
        if step >= 10:
            raise KeyboardInterrupt

    overrides = ["tracking=off", "output=halted", "train.checkpoint_steps=2", "train.batch_size=16"]
    with pytest.raises(KeyboardInterrupt):
        run_pretrain(make(*overrides), sets, say=quiet, on_log=stop)
    assert not (sets / "models" / "halted").exists()
    resumed = run_pretrain(make(*overrides, "train.resume=true"), sets, say=quiet, on_log=quiet)
    whole = run_pretrain(make(*overrides, "output=unbroken"), sets, say=quiet, on_log=quiet)
    one, other = (json.loads((each.path / NOTE).read_text())["weights"] for each in (resumed, whole))
    assert one == other
    with pytest.raises(ConfigError, match="no checkpoint"):
        run_pretrain(make(*overrides, "train.resume=true"), sets, say=quiet, on_log=quiet)


def test_pretraining_says_which_rows_cross(sets: Path, make: Make, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (sets / "rows.jsonl").read_text().splitlines()]
    answers = [json.loads(line) for line in (sets / "circa" / "train.jsonl").read_text().splitlines()]
    for row, answer in zip(rows[:40], answers, strict=False):
        answer["text"] = row["text"].upper()
    (tmp_path / "circa").mkdir()
    write_jsonl(tmp_path / "circa" / "train.jsonl", answers)
    write_jsonl(tmp_path / "circa" / "test.jsonl", answers[-20:])
    said: list[str] = []
    job = make(f"sets.circa={tmp_path / 'circa'}", "output=x", "tracking=off", "train.epochs=1")
    run_pretrain(job, sets, say=said.append, on_log=quiet)
    assert any("circa: left out" in line and "test part of participation" in line for line in said)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+sets.nowhere=x"], r"sets: 'nowhere' has no configs/data/nowhere.yaml; expected one of .*circa"),
        (["sets.circa=gone"], r"sets\.circa: no such file or folder gone; give sets\.circa=FOLDER"),
        (
            ["experiment=stance-base", "sets.participation=gone", "also.participation=[gone.jsonl]"],
            r"(?s)sets\.part.*sets\.perspectrum: .*also\.part.*\[\]",
        ),
        (["sets.circa=null", "sets.participation=null"], r"sets: no set is left to learn from"),
        (["objective=hypotheses", "hold_out=unscon"], r"hold_out: got 'unscon', which has no folder in sets"),
        (["hold_out=circa"], r"hold_out: needs objective=hypotheses"),
        (["objective=hypotheses", "train.imbalance=focal"], r"train\.imbalance: got 'focal'; .* knows only none"),
        (["train.teachers=[models/a]"], r"train\.teachers: several sets can't learn from teachers"),
        (["+label_sets.circa=nowhere"], r"labels=nowhere: not one of"),
    ],
)
def test_pretraining_mistakes_are_sentences(sets: Path, make: Make, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_pretrain(make(*overrides, "tracking=off"), sets, say=quiet, on_log=quiet)


def test_zeroshot_probabilities_sum_to_one_in_any_order(zero: Pretrained) -> None:
    model = load(zero.path)
    backwards = dict(reversed(SIDES.items()))
    one, other = (model.asking(labels).predict_proba(EXAMPLES) for labels in (SIDES, backwards))
    assert one.shape == (12, 2) and np.allclose(one.sum(axis=1), 1)
    assert np.allclose(one, other[:, ::-1], atol=1e-6)


def test_zeroshot_answers_change_with_the_definitions(zero: Pretrained) -> None:
    model = load(zero.path)
    swapped = {"favor": SIDES["against"], "against": SIDES["favor"]}
    one, other = (model.asking(labels).predict_proba(EXAMPLES) for labels in (SIDES, swapped))
    assert np.allclose(one, other[:, ::-1], atol=1e-6) and not np.allclose(one, other, atol=1e-3)


def test_zeroshot_predict_takes_labels(zero: Pretrained) -> None:
    answer = predict(EXAMPLES[0].text, target="the force", labels=SIDES, model=zero.path)
    assert set(answer.probabilities) == set(SIDES) and not answer.abstained
    assert set(predict(EXAMPLES[0].text, model=zero.path).probabilities) == {
        "accept", "conditional", "undecided", "refuse", "none",
    }  # fmt: skip
    asked = load(zero.path).asking(SIDES)
    many = [a.probabilities["favor"] for a in asked.predict_many(EXAMPLES, batch_size=5)]
    assert np.allclose(many, asked.predict_proba(EXAMPLES)[:, 0], atol=1e-6)


def test_zeroshot_learns_the_labels_it_is_shown_and_reports_the_others(zero: Pretrained) -> None:
    rows = {line.split("|")[1].strip(): line for line in zero.table.splitlines()[2:]}
    assert {"participation, labels seen", "circa, labels never seen"} <= set(rows)
    cells = [float(cell) for cell in rows["participation, labels seen"].split("|")[3:-1]]
    assert cells[0] > cells[2], "macro-F1 above the majority's"


def test_zeroshot_model_is_used_only_where_it_is_named(
    zero: Pretrained, trained: Trained, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "ROOT", sets)
    assert zero.path.parent == trained.bundle.parent and bundle.find_bundle() != zero.path


def test_zeroshot_command_takes_labels(zero: Pretrained, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for name, meaning in SIDES.items() for word in ("--label", f"{name}={meaning}")]
    assert main(["predict", EXAMPLES[0].text, *words, "--model", str(zero.path), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["probabilities"]) == set(SIDES)
    assert main(["predict", "x", "--label", "favor", "--label", "x=y", "--model", str(zero.path)]) == 2
    assert "label 'favor'" in capsys.readouterr().err


def test_zeroshot_evaluates_on_any_label_set(zero: Pretrained, sets: Path) -> None:
    overrides = [f"data.path={sets / 'circa'}", "data=circa", "labels=circa", f"bundle={zero.path}", "tracking=off"]
    report, _ = run_evaluate(compose_settings("evaluate", [*overrides, "bootstrap=20"], EvaluateJob), sets)
    assert report.labels == ("yes", "no", "conditional", "between") and report.probabilities.shape[1] == 4


def test_zeroshot_onnx_answers_as_torch(zero: Pretrained) -> None:
    gold = [replace(e, label="accept") for e in EXAMPLES]
    settings = PackageSettings(quantize=False, max_difference=1e-3, min_agreement=0, max_f1_loss=1)
    add_onnx(zero.path, gold, settings)
    one, other = (load(zero.path, backend=b).asking(SIDES).predict_proba(EXAMPLES) for b in ("onnx", "torch"))
    assert np.allclose(one, other, atol=1e-4)


def test_zeroshot_a_model_of_fixed_labels_says_so(trained: Trained) -> None:
    assert load(trained.bundle).manifest.kind == "labels"
    with pytest.raises(ModelError, match=r"answers only accept, .*objective=hypotheses"):
        load(trained.bundle).asking(SIDES)


@pytest.mark.parametrize("labels", [{}, {"favor": "is for it"}, {"a": "x", "b": " "}, {"a": "x", "b": None}, "favor"])
def test_zeroshot_labels_need_words(zero: Pretrained, labels: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"^labels: "):
        load(zero.path).asking(labels)
