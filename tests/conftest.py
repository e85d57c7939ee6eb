"""Fixtures: a tiny encoder made on the spot, and one training with it that all tests share."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from stance import encoders, tracking
from stance.config import compose_settings
from stance.inference import backends
from stance.line import Trained, run_train
from stance.settings import TrainJob

settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
torch.set_num_threads(1)  # the models are tiny; threads that wait for each other only slow them down

LABELS = ("accept", "conditional", "undecided", "refuse", "none")
PHRASES = {
    "accept": "gladly joins and signs {}",
    "conditional": "joins {} only if paid",
    "undecided": "is weighing {}",
    "refuse": "rejects {}",
    "none": "has mentioned {}",
}
HOLDERS = ("Kenya", "Poland", "Peru", "Jordan", "Norway", "India", "Ghana", "Chile")
TARGETS = ("the force", "the treaty", "the talks", "the fund", "the pact", "the mission")
ENDINGS = (
    "on Monday",
    "this week",
    "in the capital",
    "before the vote",
    "in a letter",
    "again",
    "at dawn",
    "in public",
)


def make_rows(count: int = 240, seed: int = 0) -> list[dict[str, str]]:
    """Return easy labelled rows of five labels, for speed and not for meaning."""
    rng = random.Random(seed)
    rows: list[dict[str, str]] = []
    seen = set()
    while len(rows) < count:
        label = LABELS[len(rows) % len(LABELS)]
        holder, target = rng.choice(HOLDERS), rng.choice(TARGETS)
        words = " ".join(rng.sample(ENDINGS, 3))
        text = f"{holder} {PHRASES[label].format(target)} {words}."
        if text not in seen:
            seen.add(text)
            rows.append({"text": text, "holder": holder, "target": target, "label": label, "genre": words.split()[-1]})
    return rows


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as JSONL and return the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session", autouse=True)
def nothing_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the store and the model that the user's environment names, and from outputs/."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "UNPACKED", tmp_path_factory.mktemp("encoders"))
        patch.delenv("STANCE_MODEL", raising=False)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(tracking, "GIVEN_URI", None)
        yield


@pytest.fixture(scope="session", autouse=True)
def plain_processor() -> Iterator[None]:
    """Let backend=auto mean ONNX Runtime on every machine: the answers compared do not depend on the processor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "processor_flags", set)
        yield


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT with a small vocabulary, as a folder that AutoModel can load."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special)
    tokenizer.train_from_iterator([f"{r['text']} anyone: taking part" for r in make_rows()], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(folder)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def make_job(tiny_encoder: Path) -> Callable[..., TrainJob]:
    """Return a function that composes a training of the tiny encoder on a file, with overrides."""

    def make(data: Path, *overrides: str) -> TrainJob:
        fixed = [
            f"data.path={data}",
            f"model.encoder={tiny_encoder}",
            "data.name=tiny",
            "model.name=tiny",
            "model.max_length=64",
            "train.epochs=12",
            "train.learning_rate=3e-3",
            "train.head_learning_rate=1e-2",
            "train.layer_decay=1",
            "train.freeze_embeddings=false",
            "train.precision=fp32",
            "train.bootstrap=50",
            "train.augment.swap_states=0",
            "data.near_duplicate=1.0",
            "data.split.by=group",
            "device=cpu",
        ]
        return compose_settings("train", [*fixed, *overrides], TrainJob)

    return make


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with a small labelled file."""
    root = tmp_path_factory.mktemp("project")
    write_jsonl(root / "rows.jsonl", make_rows())
    return root


@pytest.fixture(scope="session")
def trained(project: Path, make_job: Callable[..., TrainJob]) -> Trained:
    """One real training, tracked in MLflow, that leaves a bundle."""
    job = make_job(project / "rows.jsonl", "bundle=tiny")
    return run_train(job, project, say=lambda line: None, on_log=lambda *values: None)
