"""Encoders by name, and those taken out of bundles."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from stance import encoders
from stance.config import compose_settings
from stance.encoders import PACKAGED, encoder_digest, find_encoder, read_int8
from stance.errors import ConfigError
from stance.line import Trained
from stance.network import new_network
from stance.packaging.package import ship
from stance.settings import TrainJob
from stance.training.tokenizer import load_tokenizer

MODEL = compose_settings("train", [], TrainJob).model


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(encoders, "UNPACKED", tmp_path / "unpacked")
    return tmp_path / "unpacked"


def test_encoders_shipped_has_a_name_of_its_own(
    trained: Trained, unpacked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "CARRIED", trained.bundle)
    assert find_encoder("stance-default") == find_encoder(str(trained.bundle))


def test_encoders_packaged_are_found_and_names_left_alone() -> None:
    for name in PACKAGED:
        assert (Path(find_encoder(name)) / "config.json").is_file()
    assert find_encoder("some/folder") == "some/folder"


def test_encoders_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGED, "gone", "no_such_module")
    with pytest.raises(ConfigError, match="'gone' is not installed; install it with: pip install gone"):
        find_encoder("gone")


def test_encoders_folder_that_is_not_there_is_not_sought_on_a_hub() -> None:
    with pytest.raises(ConfigError, match="models/stance-lables: no such folder"):
        find_encoder("models/stance-lables")


def test_encoders_digest_follows_the_weights(tmp_path: Path, tiny_encoder: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, folder)
    before = encoder_digest(str(folder))
    assert before == encoder_digest(str(tiny_encoder))
    with (folder / "model.safetensors").open("ab") as stream:
        stream.write(b" ")
    assert encoder_digest(str(folder)) != before
    assert encoder_digest("somebody/on-a-hub") == "somebody/on-a-hub"


def test_encoders_of_a_bundle_are_its_own_weights(trained: Trained, unpacked: Path) -> None:
    whole = load_file(trained.bundle / "model.safetensors")
    own = load_file(Path(find_encoder(str(trained.bundle))) / "model.safetensors")
    assert own.keys() == {name.removeprefix("encoder.") for name in whole if name.startswith("encoder.")}
    assert all(np.array_equal(values, whole[f"encoder.{name}"]) for name, values in own.items())
    assert new_network(str(trained.bundle), 3, "mean").head.out_features == 3


def test_encoders_of_a_shipped_bundle_are_within_its_rounding(trained: Trained, unpacked: Path, tmp_path: Path) -> None:
    shipped = ship(trained.bundle, tmp_path / "shipped")
    exact = load_file(trained.bundle / "model.safetensors")
    rounded = dict(read_int8(shipped / "model.int8.onnx"))
    assert rounded.keys() == {name for name in exact if ".pooler." not in name}
    for name, values in rounded.items():
        assert values.shape == exact[name].shape
        assert np.abs(values - exact[name]).mean() <= np.abs(exact[name]).mean() / 50, name
    own = load_file(Path(find_encoder(str(shipped))) / "model.safetensors")
    assert all(np.array_equal(values, rounded[f"encoder.{name}"]) for name, values in own.items()), "as in the bundle"
    new_network(str(shipped), 3, "mean")


def test_encoders_read_texts_as_their_own_tokenizer_says(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "cased"))
    for extra in ("tokenizer_config.json", "special_tokens_map.json"):
        (folder / extra).unlink(missing_ok=True)
    whole = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ours = load_tokenizer(replace(MODEL, encoder=str(folder)))
    pair = ("Kenya will JOIN.", "Peru: the force")
    assert ours.encode_pairs([pair])[0].ids == whole.encode(*pair).ids


def test_encoders_without_a_vocabulary_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "mute"))
    for file in folder.iterdir():
        if "token" in file.name or file.name.startswith("vocab"):
            file.unlink()
    with pytest.raises(ConfigError, match=r"model\.encoder: .*tokenizer"):
        load_tokenizer(replace(MODEL, encoder=str(folder)))


def test_encoders_of_a_bundle_without_config_say_so(trained: Trained, unpacked: Path, tmp_path: Path) -> None:
    shipped = ship(trained.bundle, tmp_path / "shipped")
    (shipped / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"without what training needs; expected config\.json"):
        find_encoder(str(shipped))


def test_encoders_of_a_broken_file_are_a_sentence(trained: Trained, unpacked: Path, tmp_path: Path) -> None:
    shipped = ship(trained.bundle, tmp_path / "shipped")
    (shipped / "model.int8.onnx").write_bytes(b"broken")
    with pytest.raises(ConfigError, match=r"model\.int8\.onnx: can't be read .* Package or fetch the bundle again"):
        find_encoder(str(shipped))
    assert not list(unpacked.glob("*"))


def test_encoders_of_an_earlier_version_are_refused(trained: Trained, unpacked: Path, tmp_path: Path) -> None:
    shipped = ship(trained.bundle, tmp_path / "shipped")
    block = helper.make_node("MatMulNBits", ["x", "weights", "scales"], ["y"], domain="com.microsoft")
    onnx.save(helper.make_model(helper.make_graph([block], "old", [], [])), shipped / "model.int8.onnx")
    with pytest.raises(ConfigError, match=r"an earlier version of stance wrote its int8 weights.*Package or fetch"):
        find_encoder(str(shipped))
