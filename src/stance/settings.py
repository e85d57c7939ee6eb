"""Types and ranges of every setting; the values live in configs/. Knows nothing of Hydra."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any


def _between(low: float, high: float) -> Any:
    return field(metadata={"between": (low, high)})


def _one_of(*choices: str) -> Any:
    return field(metadata={"one_of": choices})


def _folder_name() -> Any:
    return field(metadata={"folder_name": True})


@dataclass(kw_only=True)
class ColumnSettings:
    """Which column of the file holds what; None where it has no such column; "a|b": the first of these it has."""

    text: str
    label: str
    holder: str | None
    target: str | None
    id: str | None
    group: str | None
    date: str | None
    condition: str | None
    split: str | None
    slices: list[str]


@dataclass(kw_only=True)
class SplitSettings:
    """How rows are divided into train, dev and test."""

    by: str = _one_of("auto", "group", "time", "file")
    dev: float = _between(0.01, 0.5)
    test: float = _between(0.01, 0.5)
    seed: int = _between(0, 2**31)


@dataclass(kw_only=True)
class FormatSettings:
    """How the characters of a file are to be read."""

    encoding: str = _one_of("utf-8", "cp1252", "auto")
    quotes: bool
    ending: str | None


@dataclass(kw_only=True)
class SourceSettings:
    """Where a data set comes from, and where it can be fetched: addresses with the SHA-256 of what lies there."""

    citation: str | None
    licence: str | None
    home: str | None
    urls: dict[str, str | None]


@dataclass(kw_only=True)
class MeasureSettings:
    """One measure of a data set: a score over some rows, or the mean of the scores over several sets of rows."""

    kind: str = _one_of("macro_f1", "accuracy")
    labels: list[str]
    by: str | None
    value: str | None
    merge: dict[str, str]


@dataclass(kw_only=True)
class DataSettings:
    """One data set: where it lies, what is in it, how it is checked and split."""

    name: str = _folder_name()
    path: str
    also: list[str]
    download: bool
    source: SourceSettings
    files: dict[str, list[str]] = field(metadata={"keys_of": ("train", "dev", "test", "all")})
    format: FormatSettings
    columns: ColumnSettings
    split: SplitSettings
    near_duplicate: float = _between(0.3, 1.0)
    rare_label: int = _between(0, 1_000_000)
    on_leak: str = _one_of("error", "warn")
    on_contradiction: str = _one_of("error", "warn")
    measures: dict[str, MeasureSettings]


@dataclass(kw_only=True)
class LabelSettings:
    """A label set: names in their fixed order, each with its meaning."""

    name: str
    names: dict[str, str]
    aliases: dict[str, str | None]


@dataclass(kw_only=True)
class ModelSettings:
    """The encoder and the form in which it is asked."""

    name: str
    encoder: str
    max_length: int = _between(16, 8192)
    pooling: str = _one_of("mean", "first")
    input_form: str = _one_of("fields", "question", "given")


@dataclass(kw_only=True)
class AugmentSettings:
    """What is changed at random in the training rows of each epoch."""

    swap_states: float = _between(0, 1)
    drop_holder: float = _between(0, 1)
    drop_target: float = _between(0, 1)
    always_ask: list[str]


@dataclass(kw_only=True)
class TrainSettings:
    """Every value of fine-tuning and of what follows it."""

    name: str
    epochs: int = _between(1, 1000)
    batch_size: int = _between(1, 4096)
    learning_rate: float = _between(1e-8, 1)
    head_learning_rate: float = _between(1e-8, 1)
    layer_decay: float = _between(0.1, 1)
    weight_decay: float = _between(0, 1)
    warmup: float = _between(0, 1)
    dropout: float = _between(0, 0.9)
    encoder_dropout: float = _between(0, 0.9)
    freeze_embeddings: bool
    imbalance: str = _one_of("none", "weights", "focal")
    label_smoothing: float = _between(0, 0.5)
    patience: int = _between(1, 1000)
    precision: str = _one_of("auto", "bf16", "fp32")
    checkpoint_steps: int = _between(1, 1_000_000)
    resume: bool
    abstain_accuracy: float = _between(0, 1)
    bootstrap: int = _between(10, 100_000)
    augment: AugmentSettings


@dataclass(kw_only=True)
class TrackingSettings:
    """Where runs are logged."""

    name: str
    enabled: bool
    experiment: str
    store: str
    registered_model: str


@dataclass(kw_only=True)
class PackageSettings:
    """How a bundle becomes ONNX, and what it must pass before it may replace the other weights."""

    quantize: bool
    max_difference: float = _between(0, 1)
    min_agreement: float = _between(0, 1)
    max_f1_loss: float = _between(0, 1)


@dataclass(kw_only=True)
class PrepareJob:
    """All settings of scripts/prepare.py."""

    data: DataSettings
    labels: LabelSettings
    model: ModelSettings
    force: bool


@dataclass(kw_only=True)
class TrainJob:
    """All settings of scripts/train.py."""

    data: DataSettings
    labels: LabelSettings
    model: ModelSettings
    train: TrainSettings
    package: PackageSettings
    tracking: TrackingSettings
    bundle: str = _folder_name()
    seed: int = _between(0, 2**31)
    device: str = _one_of("auto", "cpu", "cuda")


@dataclass(kw_only=True)
class PretrainJob:
    """All settings of scripts/pretrain.py."""

    model: ModelSettings
    train: TrainSettings
    tracking: TrackingSettings
    objective: str = _one_of("labels", "hypotheses")
    sets: dict[str, str | None]
    also: dict[str, list[str]]
    label_sets: dict[str, str]
    hold_out: str | None
    temperature: float = _between(1, 1000)
    options: int = _between(2, 1000)
    reword: float = _between(0, 1)
    most_rows: int = _between(0, 1_000_000_000)
    output: str = _folder_name()
    seed: int = _between(0, 2**31)
    device: str = _one_of("auto", "cpu", "cuda")


@dataclass(kw_only=True)
class EvaluateJob:
    """All settings of scripts/evaluate.py."""

    data: DataSettings
    labels: LabelSettings
    tracking: TrackingSettings
    bundle: str | None
    backend: str = _one_of("auto", "openvino-int8", "openvino", "onnx-int8", "onnx", "torch")
    part: str = _one_of("all", "train", "dev", "test")
    output: str
    bootstrap: int = _between(10, 100_000)


@dataclass(kw_only=True)
class PackageJob:
    """All settings of scripts/package.py."""

    data: DataSettings
    labels: LabelSettings
    package: PackageSettings
    tracking: TrackingSettings
    bundle: str | None
    alias: str
    ship: str | None


@dataclass(kw_only=True)
class BenchmarkJob:
    """All settings of scripts/benchmark.py."""

    data: DataSettings
    labels: LabelSettings
    model: ModelSettings
    train: TrainSettings
    tracking: TrackingSettings
    seeds: int = _between(1, 1000)
    systems: list[str]
    few_shot: list[int]
    few_shot_steps: int = _between(1, 100_000)
    leave_out: str | None
    leave_out_most: int = _between(1, 1000)
    cross_target: list[str]
    setfit_steps: int = _between(1, 1_000_000)
    bootstrap: int = _between(10, 100_000)
    device: str = _one_of("auto", "cpu", "cuda")
    output: str
    cache: str


@dataclass(kw_only=True)
class TrainingSpeedSettings:
    """How much is trained where training is timed, and where."""

    rows: int = _between(1, 1_000_000_000)
    epochs: int = _between(1, 1000)
    rounds: int = _between(1, 1000)
    device: str = _one_of("auto", "cpu", "cuda")


@dataclass(kw_only=True)
class GrowthSettings:
    """The sizes at which cost is measured; a curve without sizes is left out."""

    scored: list[int] = field(metadata={"between": (1, 1_000_000_000)})
    prepared: list[int] = field(metadata={"between": (1, 1_000_000_000)})
    tokens: list[int] = field(metadata={"between": (1, 1_000_000_000)})
    labels: list[int] = field(metadata={"between": (2, 10_000)})
    label_rows: int = _between(1, 1_000_000)


@dataclass(kw_only=True)
class SpeedJob:
    """All settings of scripts/benchmark.py speed."""

    data: DataSettings
    labels: LabelSettings
    model: ModelSettings
    train: TrainSettings
    tracking: TrackingSettings
    parts: list[str] = field(metadata={"each_of": ("predicting", "training", "growth")})
    training: TrainingSpeedSettings
    growth: GrowthSettings
    bundle: str | None
    rows: int = _between(1, 1_000_000_000)
    rounds: int = _between(1, 1000)
    single: int = _between(1, 100_000)
    cold: int = _between(1, 1000)
    output: str


@dataclass(kw_only=True)
class RebuildJob:
    """All settings of scripts/rebuild.py."""

    corpus: str | None
    download: bool
    url: str
    labels: str
    output: str


def problems(settings: Any, prefix: str = "") -> Iterator[str]:
    """Yield one sentence for each value out of its range, walking nested settings."""
    for item in fields(settings):
        value, name = getattr(settings, item.name), f"{prefix}{item.name}"
        if is_dataclass(value):
            yield from problems(value, f"{name}.")
        elif isinstance(value, dict) and value and all(map(is_dataclass, value.values())):
            for key, nested in value.items():
                yield from problems(nested, f"{name}.{key}.")
        elif "between" in item.metadata:
            low, high = item.metadata["between"]
            if not all(low <= each <= high for each in (value if isinstance(value, list) else [value])):
                yield f"{name} must be from {low:g} to {high:g}, got {value!r}"
        elif "folder_name" in item.metadata and (Path(value).name != value or value.startswith(".") or not value):
            yield f"{name} must be a folder name such as my-model, without slashes, got {value!r}"
        elif "keys_of" in item.metadata and not set(value) <= set(item.metadata["keys_of"]):
            yield f"{name} must have keys among {', '.join(item.metadata['keys_of'])}, got {', '.join(value)}"
        elif "each_of" in item.metadata and not set(value) <= set(item.metadata["each_of"]):
            yield f"{name} must hold some of {', '.join(item.metadata['each_of'])}, got {', '.join(value)}"
        elif "one_of" in item.metadata and value not in item.metadata["one_of"]:
            yield f"{name} must be one of {', '.join(item.metadata['one_of'])}, got {value!r}"
