"""ONNX weights enter a bundle only when they answer as the trained ones do."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_rows

from stance.atomic import file_hash
from stance.core import Example
from stance.encoding import Batch
from stance.errors import ModelError
from stance.inference.backends import WEIGHTS, OnnxBackend
from stance.inference.bundle import read_manifest, verify
from stance.inference.predictor import load_predictor
from stance.line import Trained
from stance.network import load_network
from stance.packaging import package as module
from stance.packaging.package import Parity, add_onnx, passes, ship
from stance.packaging.rounding import Seen
from stance.settings import PackageSettings

GATES = PackageSettings(quantize=True, max_difference=0.001, min_agreement=0.0, max_f1_loss=1.0)
ROWS = [Example(r["text"], r["target"], r["holder"], r["label"]) for r in make_rows(20, seed=3)]


@pytest.fixture
def copy(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundle; exporting it anew takes the export that is there, since a real one takes seconds."""
    monkeypatch.setattr(module, "export_onnx", lambda network, path: shutil.copy(trained.bundle / "model.onnx", path))
    return Path(shutil.copytree(trained.bundle, tmp_path / "copy"))


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: file_hash(file) for file in folder.iterdir()}


def test_package_onnx_answers_as_the_trained_weights(trained: Trained) -> None:
    assert trained.parity["onnx"].difference < 1e-3
    assert trained.parity["onnx"].agreement == 1.0
    assert trained.parity["onnx"].f1_loss == 0.0
    assert trained.parity.keys() == {"onnx", "onnx-int8"}


@pytest.mark.parametrize(("rows", "tokens"), [(1, 2), (3, 7), (5, 40)])
def test_package_onnx_takes_any_batch_and_length(trained: Trained, rows: int, tokens: int) -> None:
    rng = np.random.default_rng(0)
    ids, mask = rng.integers(5, 90, (rows, tokens)), np.ones((rows, tokens), dtype=np.int64)
    mask[-1, tokens // 2 :] = 0
    segments = np.zeros_like(ids)
    segments[:, 1:] = 1
    network = load_network(trained.bundle, 5, read_manifest(trained.bundle).pooling)
    with torch.inference_mode():
        expected = network(*map(torch.from_numpy, (ids, mask, segments))).numpy()
    got = OnnxBackend(trained.bundle / "model.onnx").logits(Batch(ids, mask, segments, list(range(rows))))
    assert np.allclose(got, expected, atol=1e-4)


def test_package_adds_both_files_to_the_bundle(copy: Path) -> None:
    parity = add_onnx(copy, ROWS, GATES)
    manifest = read_manifest(copy)
    assert parity.keys() == {"onnx", "onnx-int8"} and set(WEIGHTS.values()) <= manifest.files.keys()
    verify(copy, manifest, list(manifest.files))
    assert (copy / WEIGHTS["onnx-int8"]).stat().st_size < (copy / WEIGHTS["onnx"]).stat().st_size
    auto, named = load_predictor(copy), load_predictor(copy, backend="onnx-int8")
    assert (auto.logits(ROWS) == named.logits(ROWS)).all()


def test_package_a_shipped_bundle_has_nothing_to_export(copy: Path, tmp_path: Path) -> None:
    light = ship(copy, tmp_path / "light")
    assert read_manifest(light).name == "light"
    with pytest.raises(ModelError, match=r"has no model.safetensors.*Package the bundle that training left"):
        add_onnx(light, ROWS, GATES)


def test_package_keeps_all_else_of_the_manifest(copy: Path) -> None:
    before = read_manifest(copy)
    add_onnx(copy, ROWS, GATES)
    assert replace(read_manifest(copy), files={}) == replace(before, files={})


@pytest.mark.parametrize("change", [{"min_agreement": 1.1}, {"max_f1_loss": -1.1}, {"quantize": False}])
def test_package_int8_that_fails_or_is_not_asked_for_is_left_out(copy: Path, change: dict[str, float]) -> None:
    add_onnx(copy, ROWS, GATES)
    assert WEIGHTS["onnx-int8"] in read_manifest(copy).files
    add_onnx(copy, ROWS, replace(GATES, **change))  # type: ignore[arg-type]
    manifest = read_manifest(copy)
    assert not (copy / WEIGHTS["onnx-int8"]).exists() and WEIGHTS["onnx-int8"] not in manifest.files
    verify(copy, manifest, ["model.onnx", "model.safetensors", "tokenizer.json", "config.json"])


def test_package_plain_onnx_that_fails_leaves_the_bundle_as_it_was(copy: Path) -> None:
    before = hashes(copy)
    with pytest.raises(
        ModelError, match=r"ONNX export differs by .*; expected at most -1.* The bundle is left as it was"
    ):
        add_onnx(copy, ROWS, replace(GATES, max_difference=-1.0))
    assert hashes(copy) == before
    assert [p.name for p in copy.parent.iterdir()] == ["copy"]


def test_package_leaves_a_bundle_alone_that_was_replaced_meanwhile(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.quantize_int8

    def slow(source: Path, target: Path, seen: Mapping[str, Seen]) -> None:
        text = (copy / "manifest.json").read_text("utf-8")
        (copy / "manifest.json").write_text(text.replace('"name": "tiny"', '"name": "newer"'), "utf-8")
        real(source, target, seen)

    monkeypatch.setattr(module, "quantize_int8", slow)
    with pytest.raises(ModelError, match="was replaced while it was being packaged"):
        add_onnx(copy, ROWS, GATES)
    assert read_manifest(copy).name == "newer"


@pytest.mark.parametrize(
    ("parity", "kept"),
    [
        (Parity(9.0, 0.98, 0.005), True),
        (Parity(0.0, 0.97, 0.0), False),
        (Parity(0.0, 1.0, 0.006), False),
        (Parity(0.0, 1.0, -0.1), True),
    ],
)
def test_package_gate_looks_at_agreement_and_lost_f1(parity: Parity, kept: bool) -> None:
    assert passes(parity, replace(GATES, min_agreement=0.98, max_f1_loss=0.005)) is kept


def test_package_onnx_names_no_folder_of_the_machine(trained: Trained) -> None:
    for file in trained.bundle.glob("*.onnx"):
        assert (
            b"site-packages" not in file.read_bytes()
            and str(Path(__file__).parents[1]).encode() not in file.read_bytes()
        )
