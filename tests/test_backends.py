"""Which backend `auto` means, by the bundle's files, the packages and the processor."""

from dataclasses import replace
from pathlib import Path

import pytest

from stance import load
from stance.errors import ModelError
from stance.inference import backends as module
from stance.inference.backends import OnnxBackend, choose_backend, open_backend, processor_flags
from stance.inference.bundle import read_manifest
from stance.line import Trained

ALL = ["model.int8.onnx", "model.onnx", "model.safetensors", "config.json", "tokenizer.json"]
LIGHT = ["model.int8.onnx", "tokenizer.json"]
BF16, AMX, VNNI, OLD = ["avx512_bf16", "avx512_vnni"], ["amx_bf16", "amx_int8"], ["avx2", "avx_vnni"], ["avx2", "fma"]


@pytest.mark.parametrize(
    ("files", "device", "installed", "flags", "expected"),
    [
        (ALL, "cuda", True, AMX, "torch"),
        (LIGHT, "cuda", True, AMX, "torch"),
        (ALL, "cpu", True, AMX, "openvino"),
        (ALL, "cpu", True, VNNI, "onnx-int8"),
        (ALL, "cpu", False, AMX, "onnx-int8"),
        (LIGHT, "cpu", True, BF16, "onnx-int8"),
        (LIGHT, "cpu", True, OLD, "onnx-int8"),
        (["model.onnx"], "cpu", True, BF16, "openvino"),
        (["model.onnx"], "cpu", True, VNNI, "onnx"),
        (["model.onnx"], "cpu", True, [], "onnx"),
        (["model.onnx"], "cpu", False, BF16, "onnx"),
        (["model.safetensors", "config.json"], "cpu", True, AMX, "torch"),
        ([], "cpu", True, AMX, "torch"),
    ],
)
def test_backends_auto_is_the_first_that_fits(
    files: list[str], device: str, installed: bool, flags: list[str], expected: str
) -> None:
    assert choose_backend(files, device, installed, flags) == expected


def test_backends_flags_are_those_of_the_first_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("model name\t: X\nflags\t\t: fpu avx2 amx_bf16\nvmx flags\t: vnmi\nflags\t\t: fpu\n")
    monkeypatch.setattr(module, "CPU_INFO", told)
    assert {"avx2", "amx_bf16"} <= processor_flags() and "vnmi" not in processor_flags()


@pytest.mark.parametrize("content", [None, "Features\t: fp asimd bf16\n"])
def test_backends_no_flags_where_linux_names_none(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "cpuinfo"
    if content:
        told.write_text(content)
    monkeypatch.setattr(module, "CPU_INFO", told)
    assert processor_flags() == set()


def test_backends_a_device_that_is_not_there_is_a_sentence(trained: Trained) -> None:
    with pytest.raises(ModelError, match=r"device: torch can't use 'xpu' here .* Take cpu"):
        load(trained.bundle, device="xpu")


@pytest.mark.parametrize(
    ("quota", "expected"), [("150000 100000", 1), ("50000 100000", 1), ("max 100000", 8), ("400000 100000", 4)]
)
def test_backends_use_no_more_cores_than_a_container_grants(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(module, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert module.cores() == expected


def test_backends_auto_opens_what_it_chose(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_manifest(trained.bundle)
    assert isinstance(open_backend(trained.bundle, manifest), OnnxBackend)
    pytest.importorskip("openvino")
    monkeypatch.setattr(module, "processor_flags", lambda: set(BF16))
    assert isinstance(open_backend(trained.bundle, manifest), module.OpenVinoBackend)
    assert isinstance(open_backend(trained.bundle, manifest, "onnx"), OnnxBackend), "a name overrides"


def test_backends_a_file_that_is_not_there_is_said_with_the_backends_that_are(trained: Trained) -> None:
    manifest = read_manifest(trained.bundle)
    given = {name: digest for name, digest in manifest.files.items() if name in LIGHT}
    with pytest.raises(ModelError, match=r"has no model.onnx for backend 'openvino', only files for: onnx-int8"):
        open_backend(trained.bundle, replace(manifest, files=given), "openvino")
