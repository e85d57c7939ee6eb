"""A bundle is whole, or the message says what is wrong with it and what to do."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stance.atomic import file_hash
from stance.errors import ModelError
from stance.inference import bundle as module
from stance.inference.backends import WEIGHTS, open_backend
from stance.inference.bundle import (
    MANIFEST,
    Manifest,
    copy_files,
    find_bundle,
    read_manifest,
    save_bundle,
    verify,
)
from stance.inference.predictor import load_predictor
from stance.line import Trained


@pytest.fixture
def copy(trained: Trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.bundle, tmp_path / "copy"))


def alter(folder: Path, **values: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | values))


def test_bundle_manifest_names_labels_scores_and_hashes(trained: Trained) -> None:
    manifest = read_manifest(trained.bundle)
    assert manifest.name == "tiny" and manifest.encoder and manifest.data["digest"]
    assert manifest.label_set.names == trained.report.labels
    assert manifest.scores["macro_f1"][0] == pytest.approx(trained.report.scores["macro_f1"].value, abs=1e-4)
    assert manifest.files == {
        f.name: file_hash(f) for f in trained.bundle.iterdir() if f.name not in (MANIFEST, "README.md")
    }


def test_bundle_survives_a_round_trip(trained: Trained, tmp_path: Path) -> None:
    manifest = replace(read_manifest(trained.bundle), name="caf\u00e9", temperature=1.5)
    save_bundle(tmp_path / "b", manifest, lambda draft: copy_files(trained.bundle, draft))
    assert read_manifest(tmp_path / "b") == manifest


def test_bundle_copy_leaves_out_what_it_is_told(trained: Trained, tmp_path: Path) -> None:
    copy_files(trained.bundle, tmp_path, without=["model.onnx"])
    assert {f.name for f in tmp_path.iterdir()} == set(read_manifest(trained.bundle).files) - {"model.onnx"}


def test_bundle_half_written_leaves_the_earlier_one(copy: Path) -> None:
    def fail(draft: Path) -> None:
        (draft / "model.onnx").write_text("half")
        raise RuntimeError

    before = read_manifest(copy)
    with pytest.raises(RuntimeError):
        save_bundle(copy, before, fail)
    verify(copy, before, list(before.files))
    assert read_manifest(copy) == before


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors", "model.onnx"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (Path.unlink, "missing from the bundle"),
        (lambda file: os.truncate(file, file.stat().st_size // 2), "altered or truncated"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\x00"), "altered or truncated"),
    ],
    ids=["missing", "truncated", "altered"],
)
def test_bundle_damaged_file_is_named(copy: Path, name: str, damage: Callable[[Path], object], problem: str) -> None:
    damage(copy / name)
    backend = "onnx" if name == "model.onnx" else "torch"
    with pytest.raises(ModelError, match=f"{name}: {problem}"):
        load_predictor(copy, backend=backend)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"format_version": 99}, "bundle format 99; this version of stance reads format 1. Train again"),
        ({"format_version": None}, "bundle format None"),
        ({"temperature": 0}, "temperature or threshold out of range"),
        ({"threshold": 1.5}, "temperature or threshold out of range"),
        ({"temperature": "warm"}, "broken"),
        ({"max_length": "x"}, "broken"),
        ({"labels": ["one"]}, "broken"),
        ({"labels": None}, "broken"),
    ],
)
def test_bundle_broken_manifest_value_is_said(copy: Path, values: dict[str, object], problem: str) -> None:
    alter(copy, **values)
    with pytest.raises(ModelError, match=problem):
        read_manifest(copy)


@pytest.mark.parametrize("content", ["", "{broken", "[]", "{}", '{"format_version": 1}'])
def test_bundle_broken_manifest_is_said(copy: Path, content: str) -> None:
    (copy / MANIFEST).write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json: (can't be read|broken)"):
        read_manifest(copy)


def test_bundle_unknown_manifest_values_are_for_later_versions(copy: Path) -> None:
    before = read_manifest(copy)
    alter(copy, novelty=1)
    assert read_manifest(copy) == before


def test_bundle_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"not a bundle, it has no manifest.json"):
        load_predictor(tmp_path)


@pytest.mark.parametrize(
    ("backend", "problem"),
    [("onnx-int8", "scripts/package.py"), ("tpu", "not one of auto, openvino, onnx")],
)
def test_bundle_backend_that_is_not_there_is_said(copy: Path, backend: str, problem: str) -> None:
    manifest = read_manifest(copy)
    files = {name: digest for name, digest in manifest.files.items() if name != WEIGHTS["onnx-int8"]}
    with pytest.raises(ModelError, match=problem):
        open_backend(copy, replace(manifest, files=files), backend)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project and an empty package in which find_bundle looks."""
    monkeypatch.delenv("STANCE_MODEL", raising=False)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "IS_CHECKOUT", True)
    monkeypatch.setattr(module, "CARRIED", tmp_path / "models" / "default")
    return tmp_path


def put(folder: Path, year: int = 2020) -> Path:
    manifest = Manifest(
        format_version=1, name=folder.name, created=f"{year}-01-01T00:00:00+00:00", labels=["yes", "no"], max_length=64,
        input_form="fields", pooling="mean", pad_id=0, temperature=1.0, threshold=0.0, encoder="tiny",
    )  # fmt: skip
    return save_bundle(folder, manifest, lambda draft: None)


def test_bundle_is_looked_for_in_order(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no model found: train one with 'make train'"):
        find_bundle()
    default = put(places / "models" / "default")
    assert find_bundle() == default
    old = put(places / "models" / "old", 2021)
    put(places / "models" / ".training-new", 2030)
    assert find_bundle() == old
    new = put(places / "models" / "new", 2022)
    assert find_bundle() == new
    (put(places / "models" / "broken", 2023) / MANIFEST).write_text("{")
    put(places / "models" / "old", 2021)
    assert find_bundle() == new, "the newest is the one trained last, not the one written last"
    monkeypatch.setenv("STANCE_MODEL", str(old))
    assert find_bundle() == old
    assert find_bundle(default) == default


def test_bundle_folder_that_is_not_there_is_named(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(places / "models" / "new")
    with pytest.raises(ModelError, match="nowhere: no such bundle folder"):
        find_bundle("nowhere")
    monkeypatch.setenv("STANCE_MODEL", "elsewhere")
    with pytest.raises(ModelError, match="elsewhere: no such bundle folder"):
        find_bundle()
