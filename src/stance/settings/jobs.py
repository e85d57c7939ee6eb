"""All settings of each script."""

from dataclasses import dataclass, field

from stance.settings.parts import (
    DataSettings,
    GrowthSettings,
    LabelSettings,
    ModelSettings,
    PackageSettings,
    QualitySettings,
    TrackingSettings,
    TrainingSpeedSettings,
    TrainSettings,
)
from stance.settings.ranges import between, folder_name, one_of


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
    bundle: str = folder_name()
    seed: int = between(0, 2**31)
    device: str = one_of("auto", "cpu", "cuda")


@dataclass(kw_only=True)
class PretrainJob:
    """All settings of scripts/pretrain.py."""

    model: ModelSettings
    train: TrainSettings
    tracking: TrackingSettings
    objective: str = one_of("labels", "hypotheses")
    sets: dict[str, str | None]
    also: dict[str, list[str]]
    label_sets: dict[str, str]
    hold_out: str | None
    temperature: float = between(1, 1000)
    options: int = between(2, 1000)
    reword: float = between(0, 1)
    most_rows: int = between(0, 1_000_000_000)
    output: str = folder_name()
    seed: int = between(0, 2**31)
    device: str = one_of("auto", "cpu", "cuda")


@dataclass(kw_only=True)
class EvaluateJob:
    """All settings of scripts/evaluate.py."""

    data: DataSettings
    labels: LabelSettings
    tracking: TrackingSettings
    bundle: str | None
    backend: str = one_of("auto", "openvino", "onnx-int8", "onnx", "torch")
    device: str = one_of("cpu", "cuda")
    part: str = one_of("all", "train", "dev", "test")
    output: str
    bootstrap: int = between(10, 100_000)


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
    seeds: int = between(1, 1000)
    systems: list[str]
    plain_encoder: str
    plain_learning_rate: float = between(0.0, 1.0)
    few_shot: list[int]
    few_shot_steps: int = between(1, 100_000)
    leave_out: str | None
    leave_out_most: int = between(1, 1000)
    cross_target: list[str]
    setfit_steps: int = between(1, 1_000_000)
    bootstrap: int = between(10, 100_000)
    device: str = one_of("auto", "cpu", "cuda")
    output: str
    cache: str


@dataclass(kw_only=True)
class SpeedJob:
    """All settings of scripts/benchmark.py speed."""

    data: DataSettings
    labels: LabelSettings
    model: ModelSettings
    train: TrainSettings
    tracking: TrackingSettings
    parts: list[str] = field(metadata={"each_of": ("predicting", "quality", "training", "growth")})
    quality: QualitySettings
    training: TrainingSpeedSettings
    growth: GrowthSettings
    bundle: str | None
    rows: int = between(1, 1_000_000_000)
    rounds: int = between(1, 1000)
    single: int = between(1, 100_000)
    cold: int = between(1, 1000)
    output: str


@dataclass(kw_only=True)
class RebuildJob:
    """All settings of scripts/rebuild.py."""

    corpus: str | None
    download: bool
    url: str
    labels: str
    output: str
