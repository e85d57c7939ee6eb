"""The groups of settings that jobs are made of."""

from dataclasses import dataclass, field

from stance.core import LabelSet
from stance.settings.ranges import between, folder_name, one_of


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

    by: str = one_of("auto", "group", "time", "file")
    dev: float = between(0.01, 0.5)
    test: float = between(0.01, 0.5)
    seed: int = between(0, 2**31)


@dataclass(kw_only=True)
class FormatSettings:
    """How the characters of a file are to be read."""

    encoding: str = one_of("utf-8", "cp1252", "auto")
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
    """One measure of a data set: a score over some rows, or the mean of the scores over several sets of rows.

    Attributes:
        kind: What is measured.
        labels: Only these count in macro-F1; empty: all that occur.
        by: target or a slice; None: all rows together.
        value: Of `by`, the rows with this value alone; None: the mean over its values.
        merge: Label -> the coarser one that stands for it.
    """

    kind: str = one_of("macro_f1", "accuracy")
    labels: list[str] = field(default_factory=list)
    by: str | None = None
    value: str | None = None
    merge: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class DataSettings:
    """One data set: where it lies, what is in it, how it is checked and split."""

    name: str = folder_name()
    path: str
    also: list[str]
    download: bool
    source: SourceSettings
    files: dict[str, list[str]] = field(metadata={"keys_of": ("train", "dev", "test", "all")})
    leave_out: dict[str, list[str]]
    format: FormatSettings
    columns: ColumnSettings
    split: SplitSettings
    near_duplicate: float = between(0.3, 1.0)
    rare_label: int = between(0, 1_000_000)
    on_leak: str = one_of("error", "warn")
    on_contradiction: str = one_of("error", "warn")
    measures: dict[str, MeasureSettings]


@dataclass(kw_only=True)
class LabelSettings:
    """A label set: names in their fixed order, each with its meaning."""

    name: str
    names: dict[str, str]
    aliases: dict[str, str | None]

    @property
    def label_set(self) -> LabelSet:
        """The names as what everything else is given."""
        return LabelSet(tuple(self.names))


@dataclass(kw_only=True)
class ModelSettings:
    """The encoder and the form in which it is asked."""

    name: str
    encoder: str
    layers: int = between(0, 1000)
    max_length: int = between(16, 8192)
    pooling: str = one_of("mean", "first")
    input_form: str = one_of("fields", "question", "given", "stand_ins")


@dataclass(kw_only=True)
class AugmentSettings:
    """What is changed at random in the training rows of each epoch."""

    swap_states: float = between(0, 1)
    drop_holder: float = between(0, 1)
    drop_target: float = between(0, 1)
    always_ask: list[str]


@dataclass(kw_only=True)
class TrainSettings:
    """Every value of fine-tuning and of what follows it."""

    name: str
    epochs: int = between(1, 1000)
    most_steps: int = between(0, 1_000_000_000)
    batch_size: int = between(1, 4096)
    learning_rate: float = between(1e-8, 1)
    head_learning_rate: float = between(1e-8, 1)
    layer_decay: float = between(0.1, 1)
    weight_decay: float = between(0, 1)
    warmup: float = between(0, 1)
    dropout: float = between(0, 0.9)
    encoder_dropout: float = between(0, 0.9)
    freeze_embeddings: bool
    imbalance: str = one_of("none", "weights", "focal")
    label_smoothing: float = between(0, 0.5)
    teachers: list[str]
    teacher_weight: float = between(0, 1)
    patience: int = between(1, 1000)
    precision: str = one_of("auto", "bf16", "fp32")
    checkpoint_steps: int = between(1, 1_000_000)
    resume: bool
    abstain_accuracy: float = between(0, 1)
    bootstrap: int = between(10, 100_000)
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
    max_difference: float = between(0, 1)
    min_agreement: float = between(0, 1)
    max_f1_loss: float = between(0, 1)


@dataclass(kw_only=True)
class TrainingSpeedSettings:
    """How much is trained where training is timed, and where."""

    rows: int = between(1, 1_000_000_000)
    epochs: int = between(1, 1000)
    rounds: int = between(1, 1000)
    device: str = one_of("auto", "cpu", "cuda")


@dataclass(kw_only=True)
class QualitySettings:
    """What stands on the plane of quality and speed beside the bundle and the linear model."""

    bundles: list[str]
    cascade: list[float] = field(metadata={"between": (0, 1)})


@dataclass(kw_only=True)
class GrowthSettings:
    """The sizes at which cost is measured; a curve without sizes is left out."""

    scored: list[int] = field(metadata={"between": (1, 1_000_000_000)})
    prepared: list[int] = field(metadata={"between": (1, 1_000_000_000)})
    tokens: list[int] = field(metadata={"between": (1, 1_000_000_000)})
    labels: list[int] = field(metadata={"between": (2, 10_000)})
    label_rows: int = between(1, 1_000_000)
