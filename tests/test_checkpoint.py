"""A checkpoint puts a training back to where it was; what does not fit is refused."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from stance.errors import ConfigError
from stance.training.checkpoint import Progress, check_note, load_checkpoint, save_checkpoint

Training = tuple[nn.Module, torch.optim.Optimizer]


def new_training(seed: int) -> Training:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    return network, torch.optim.AdamW(network.parameters(), lr=0.1)


def step(training: Training, count: int = 1) -> list[float]:
    network, optimizer = training
    losses = []
    for _ in range(count):
        loss = network(torch.rand(8, 4)).square().sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"


@pytest.fixture
def saved(folder: Path) -> Training:
    training = new_training(0)
    step(training, 3)
    progress = Progress(epoch=2, batch=3, loss=1.5, stale=1, history=[{"epoch": 1.0}], run_id="r1")
    progress.best = {name: tensor.clone() for name, tensor in training[0].state_dict().items()}
    save_checkpoint(folder, "key", *training, progress)
    return training


def test_checkpoint_goes_on_exactly_where_it_was(saved: Training, folder: Path) -> None:
    expected = step(saved, 4)
    other = new_training(9)
    load_checkpoint(folder, "key", *other)
    assert step(other, 4) == expected
    ours, theirs = saved[0].state_dict(), other[0].state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_checkpoint_keeps_the_progress(saved: Training, folder: Path) -> None:
    progress = load_checkpoint(folder, "key", *new_training(9))
    assert (progress.epoch, progress.batch, progress.loss, progress.stale) == (2, 3, 1.5, 1)
    assert (progress.history, progress.run_id) == ([{"epoch": 1.0}], "r1")
    assert all(torch.equal(progress.best[name], tensor) for name, tensor in saved[0].state_dict().items())


def test_checkpoint_before_the_first_epoch_has_no_best(folder: Path) -> None:
    save_checkpoint(folder, "key", *new_training(0), Progress())
    assert load_checkpoint(folder, "key", *new_training(1)).best == {}


def test_checkpoint_replaces_the_earlier_one_whole(saved: Training, folder: Path) -> None:
    save_checkpoint(folder, "key", *saved, Progress(epoch=5))
    assert check_note(folder, "key")["epoch"] == 5
    assert sorted(file.name for file in folder.iterdir()) == ["state.json", "state.safetensors"]
    assert [p.name for p in folder.parent.iterdir()] == ["checkpoint"]


def test_checkpoint_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train.resume: no checkpoint in .*train.resume=false"):
        load_checkpoint(tmp_path, "key", *new_training(0))


@pytest.mark.usefixtures("saved")
def test_checkpoint_of_other_settings_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="of other settings, data or seed"):
        load_checkpoint(folder, "other", *new_training(0))


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize(("name", "problem"), [("state.json", "no checkpoint"), ("state.safetensors", "is damaged")])
def test_checkpoint_that_is_damaged_is_said(folder: Path, name: str, problem: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match=problem):
        load_checkpoint(folder, "key", *new_training(0))


@pytest.mark.usefixtures("saved")
def test_checkpoint_note_is_plain_json(folder: Path) -> None:
    assert json.loads((folder / "state.json").read_text())["run_key"] == "key"


def test_checkpoint_progress_keeps_the_best_epoch_and_counts_stale_ones() -> None:
    progress, network = Progress(), nn.Linear(1, 1)
    kept = []
    for value in (0.2, 0.5, 0.5, 0.1):
        nn.init.constant_(network.weight, value)
        progress.count(2.0)
        progress.count(4.0)
        entry = progress.finish_epoch({"dev/main": value}, network)
        kept.append((round(progress.best["weight"].item(), 1), progress.stale, entry["epoch"], entry["train/loss"]))
    assert kept == [(0.2, 0, 1, 3), (0.5, 0, 2, 3), (0.5, 1, 3, 3), (0.5, 2, 4, 3)]
    assert (progress.epoch, progress.batch, progress.loss) == (4, 0, 0)
