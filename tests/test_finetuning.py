"""Fine-tuning: losses, rates and schedule by hand; the same seed gives the same weights."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import LABELS, make_rows

from stance.core import Example, LabelSet
from stance.data.splits import Splits
from stance.errors import ConfigError
from stance.line import Trained
from stance.network import StanceNetwork, new_network
from stance.settings import MeasureSettings, TrainJob
from stance.training.finetuning import FineTuned, LabelTask, Session, fine_tune, passes
from stance.training.hardware import choose_device, use_bf16
from stance.training.optimisation import loss_function, parameter_groups, schedule
from stance.training.scoring import network_logits
from stance.training.tokenizer import load_tokenizer

LABEL_SET = LabelSet(LABELS)
ROWS = [Example(r["text"], r["target"], r["holder"], r["label"]) for r in make_rows(60)]
SPLITS = Splits(ROWS[:40], ROWS[40:50], ROWS[50:])
LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 0.0], [0.3, 0.2, 0.1]])
GOLD = torch.tensor([0, 2, 1])
LAYER = "encoder.encoder.layer.0.output.dense.weight"


@pytest.fixture
def job(make_job: Callable[..., TrainJob]) -> TrainJob:
    return make_job(Path("rows.jsonl"), "train.epochs=2", "train.batch_size=8", "train.augment.drop_holder=0.5")


def tune(job: TrainJob, folder: Path, seed: int = 1, splits: Splits = SPLITS, **changes: object) -> FineTuned:
    session = Session(seed=seed, device="cpu", checkpoint=folder, key="key")
    return fine_tune(splits, LABEL_SET, job.model, replace(job.train, **changes), session)  # type: ignore[arg-type]


def test_finetuning_same_seed_same_weights(job: TrainJob, tmp_path: Path) -> None:
    one, same, other = (
        tune(job, tmp_path / str(i), seed, epochs=1).network.state_dict() for i, seed in enumerate((1, 1, 2))
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_finetuning_has_an_entry_an_epoch_and_learns(job: TrainJob, tmp_path: Path) -> None:
    tuned = tune(job, tmp_path / "c", epochs=3)
    assert [entry["epoch"] for entry in tuned.history] == [1, 2, 3]
    assert tuned.history[-1]["train/loss"] < tuned.history[0]["train/loss"]
    assert not tuned.network.training


@pytest.mark.parametrize(("most_steps", "made"), [(0, 3), (1, 1), (10, 2), (14, 2), (15, 3), (1000, 3)])
def test_finetuning_of_many_rows_makes_fewer_passes(job: TrainJob, most_steps: int, made: int) -> None:
    assert passes(5, replace(job.train, epochs=3, most_steps=most_steps)) == made


def test_finetuning_keeps_the_best_epoch(job: TrainJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mains, heads = [0.2, 0.9, 0.5], list[torch.Tensor]()

    def scores(task: LabelTask, network: StanceNetwork, device: str) -> dict[str, float]:
        heads.append(network.head.weight.detach().clone())
        return {"dev/macro_f1": 0.0, "dev/loss": 0.0, "dev/main": mains[len(heads) - 1]}

    monkeypatch.setattr(LabelTask, "scores", scores)
    tuned = tune(job, tmp_path / "c", epochs=3)
    assert torch.equal(tuned.network.head.weight, heads[1]) and not torch.equal(heads[1], heads[2])


def test_finetuning_compares_epochs_by_the_main_measure(job: TrainJob, tmp_path: Path) -> None:
    given = {"text_rows": MeasureSettings(kind="accuracy", labels=[], by=None, value=None, merge={})}
    settings = replace(job.train, epochs=4, learning_rate=0.05, head_learning_rate=0.2)
    session = Session(seed=1, device="cpu", checkpoint=tmp_path / "c", key="key")
    tuned = fine_tune(SPLITS, LABEL_SET, job.model, settings, session, given)
    logits = network_logits(tuned.network, SPLITS.dev, tuned.tokenizer, "cpu").argmax(1).numpy()
    right = float((logits == LABEL_SET.indices(SPLITS.dev)).mean())
    assert [entry["dev/main"] for entry in tuned.history] == [entry["dev/accuracy"] for entry in tuned.history]
    assert right == pytest.approx(max(entry["dev/accuracy"] for entry in tuned.history))


def test_finetuning_a_measure_without_rows_gives_way_to_macro_f1(job: TrainJob, tmp_path: Path) -> None:
    given = {"seen": MeasureSettings(kind="accuracy", labels=[], by="seen", value="1", merge={})}
    session = Session(seed=1, device="cpu", checkpoint=tmp_path / "c", key="key")
    (entry,) = fine_tune(SPLITS, LABEL_SET, job.model, replace(job.train, epochs=1), session, given).history
    assert entry["dev/main"] == entry["dev/macro_f1"]


def test_finetuning_a_measure_of_other_labels_is_said_first(job: TrainJob, tmp_path: Path) -> None:
    given = {"f": MeasureSettings(kind="macro_f1", labels=["favor"], by=None, value=None, merge={})}
    session = Session(seed=1, device="cpu", checkpoint=tmp_path / "c", key="key")
    with pytest.raises(ConfigError, match=r"data\.measures\.f\.labels: 'favor' is not one of accept"):
        fine_tune(SPLITS, LABEL_SET, job.model, job.train, session, given)


def test_finetuning_stops_when_patience_ends(job: TrainJob, tmp_path: Path) -> None:
    tuned = tune(job, tmp_path / "c", epochs=9, patience=2, learning_rate=1e-8, head_learning_rate=1e-8)
    assert len(tuned.history) == 3


def test_finetuning_does_not_look_at_test(job: TrainJob, tmp_path: Path) -> None:
    one = tune(job, tmp_path / "a", epochs=1).network.state_dict()
    other = tune(job, tmp_path / "b", epochs=1, splits=replace(SPLITS, test=[])).network.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("frozen", [True, False])
def test_finetuning_freezes_the_embeddings_if_asked(job: TrainJob, tmp_path: Path, frozen: bool) -> None:
    before = new_network(job.model.encoder, len(LABEL_SET), "mean").state_dict()
    after = tune(job, tmp_path / "c", epochs=1, freeze_embeddings=frozen).network.state_dict()
    name = "encoder.embeddings.word_embeddings.weight"
    assert torch.equal(before[name], after[name]) == frozen
    assert not torch.equal(before[LAYER], after[LAYER])


@pytest.mark.parametrize(
    "change",
    [
        {"warmup": 0.9},
        {"precision": "bf16"},
        {"augment": {"drop_holder": 1.0}},
        {"teachers": True},
        {"dropout": 0.5},
        {"layer_decay": 0.5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_finetuning_heeds_its_settings(
    job: TrainJob, trained: Trained, tmp_path: Path, change: dict[str, object]
) -> None:
    if "augment" in change:
        change = {"augment": replace(job.train.augment, **change["augment"])}  # type: ignore[arg-type]
    if "teachers" in change:
        change = {"teachers": [str(trained.bundle)]}
    plain = tune(job, tmp_path / "a", epochs=1).network.state_dict()
    changed = tune(job, tmp_path / "b", epochs=1, **change).network.state_dict()
    assert not torch.equal(plain["head.weight"], changed["head.weight"])


def test_finetuning_keeps_as_many_layers_as_asked(job: TrainJob, tmp_path: Path) -> None:
    session = Session(seed=1, device="cpu", checkpoint=tmp_path / "c", key="key")
    tuned = fine_tune(SPLITS, LABEL_SET, replace(job.model, layers=1), replace(job.train, epochs=1), session)
    assert [name for name in tuned.network.state_dict() if "layer.1." in name] == []
    assert LAYER in tuned.network.state_dict()


def test_finetuning_network_logits_keep_the_order_of_rows(job: TrainJob) -> None:
    tokenizer, network = load_tokenizer(job.model), new_network(job.model.encoder, 5, "mean")
    rows = [replace(e, text=e.text * (1 + i % 3)) for i, e in enumerate(ROWS[:9])]
    alone = torch.cat([network_logits(network, [row], tokenizer, "cpu") for row in rows])
    assert torch.allclose(network_logits(network, rows, tokenizer, "cpu"), alone, atol=1e-5)


def loss(job: TrainJob, examples: list[Example], **changes: object) -> float:
    settings = replace(job.train, **changes)  # type: ignore[arg-type]
    function = loss_function(examples, LabelSet(("a", "b", "c")), settings)
    return float(function(LOGITS, GOLD))


def test_finetuning_losses_by_hand(job: TrainJob) -> None:
    examples = [Example("x", label=label) for label in "aaab"]
    p = [math.exp(row[g]) / sum(map(math.exp, row)) for row, g in zip(LOGITS.tolist(), GOLD.tolist(), strict=True)]
    plain = [-math.log(q) for q in p]
    weights = [1 / 3, 1, 1]  # of the labels 0, 2 and 1, up to a factor; a label that never occurs counts as once
    assert loss(job, examples, imbalance="none", label_smoothing=0) == pytest.approx(sum(plain) / 3)
    assert loss(job, examples, imbalance="focal") == pytest.approx(
        sum((1 - q) ** 2 * v for q, v in zip(p, plain, strict=True)) / 3
    )
    weighted = sum(w * v for w, v in zip(weights, plain, strict=True)) / sum(weights)
    assert loss(job, examples, imbalance="weights", label_smoothing=0) == pytest.approx(weighted, rel=1e-5)


def test_finetuning_label_smoothing_by_hand(job: TrainJob) -> None:
    log_p = LOGITS.log_softmax(-1)
    expected = -(0.9 * log_p[range(3), GOLD] + 0.1 * log_p.mean(1)).mean()
    got = loss(job, [Example("x", label="a")], imbalance="none", label_smoothing=0.1)
    assert got == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("done", "warmup", "share"),
    [
        (0, 0.1, 0),
        (0.05, 0.1, 0.5),
        (0.1, 0.1, 1),
        (0.55, 0.1, 0.5),
        (1, 0.1, 0),
        (0, 0, 1),
        (0.5, 0, 0.5),
        (0.5, 1, 0.5),
        (1, 1, 1),
    ],
)
def test_finetuning_schedule_rises_then_falls(done: float, warmup: float, share: float) -> None:
    assert schedule(done, warmup) == pytest.approx(share)


def test_finetuning_lower_layers_learn_slower(job: TrainJob) -> None:
    network = new_network(job.model.encoder, 5, "mean")
    settings = replace(job.train, learning_rate=0.1, head_learning_rate=0.7, layer_decay=0.5)
    rates = {id(p): g["lr"] for g in parameter_groups(network, settings) for p in g["params"]}  # type: ignore[attr-defined]
    named = {name: rates[id(parameter)] for name, parameter in network.named_parameters()}
    assert len(named) == len(rates)
    expected = {
        "head": 0.7,
        "encoder.encoder.layer.1": 0.1,
        "encoder.encoder.layer.0": 0.05,
        "encoder.embeddings": 0.025,
    }
    for start, rate in expected.items():
        assert [r for n, r in named.items() if n.startswith(start) and r != pytest.approx(rate)] == []
        assert any(n.startswith(start) for n in named)


def test_finetuning_frozen_parameters_are_in_no_group(job: TrainJob) -> None:
    network = new_network(job.model.encoder, 5, "mean")
    network.encoder.requires_grad_(False)
    (group,) = parameter_groups(network, job.train)
    assert {id(p) for p in group["params"]} == {id(p) for p in network.head.parameters()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "there", "got"),
    [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_finetuning_device_is_chosen(asked: str, there: bool, got: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose_device(asked) == got


def test_finetuning_missing_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"device: cuda is asked for.*Use device=cpu"):
        choose_device("cuda")


@pytest.mark.parametrize(("precision", "bf16"), [("bf16", True), ("fp32", False)])
def test_finetuning_precision_is_as_asked(precision: str, bf16: bool) -> None:
    assert use_bf16(precision, "cpu") is bf16


def test_finetuning_encoder_without_tokenizer_is_named(job: TrainJob, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model.encoder: no tokenizer for"):
        load_tokenizer(replace(job.model, encoder=str(tmp_path)))


def test_finetuning_length_that_the_encoder_cannot_read_is_said(job: TrainJob, tmp_path: Path) -> None:
    job.model.max_length = 4096
    with pytest.raises(ConfigError, match=r"model\.max_length: got 4096; the encoder reads at most 128 tokens"):
        tune(job, tmp_path)
