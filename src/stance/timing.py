"""Measures speed: ways to answer the same sentences, fresh processes, matrix products. Writes nothing."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stance.core import Example
from stance.encoding import PairTokenizer
from stance.errors import MissingExtraError, ModelError
from stance.inference.backends import WEIGHTS
from stance.inference.bundle import Manifest, read_manifest
from stance.inference.predictor import load_predictor
from stance.text import render

if TYPE_CHECKING:
    from stance.network import StanceNetwork

Way = Callable[[Sequence[Example]], list[str]]
"""Answers examples with their labels, in order."""
PLAIN = {"transformers batch 1": 1, "transformers batch 32": 32}
"""Name of a plain way -> rows in one batch."""
REFERENCE = "transformers batch 32"
TOKENS = 1024
"""Rows of the matrix products that are timed."""
COLD = """
import json, re, sys, time
name, folder, text = sys.argv[1:]
{load}
answer(text)
end = time.time()
status = open("/proc/self/status").read() if sys.platform == "linux" else ""
most = re.search(r"VmHWM:\\s+(\\d+)", status)
print(json.dumps([end, int(most.group(1)) / 1024 if most else None]))
"""
LOAD_STANCE = "import stance; answer = stance.load(folder, backend=name).predict"
LOAD_PLAIN = (
    "from pathlib import Path; from stance.core import Example; from stance.timing import PLAIN, plain_network, "
    "plain_way; way = plain_way(Path(folder), plain_network(Path(folder)), PLAIN[name]); "
    "answer = lambda text: way([Example(text)])"
)


@dataclass
class Timed:
    """What was measured of one way: a value a round, a latency a single sentence, a value a fresh process."""

    name: str
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


def has_trained_weights(folder: Path) -> bool:
    """Tell whether the bundle holds what torch needs; a light copy does not."""
    return WEIGHTS["torch"] in read_manifest(folder).files


def plain_network(folder: Path) -> "StanceNetwork":
    """Return the bundle's torch network; without its weights, one of the same encoder and a fresh head."""
    from stance.network import load_network, new_network

    manifest = read_manifest(folder)
    if has_trained_weights(folder):
        return load_network(folder, manifest.outputs, manifest.pooling)
    encoder = str(folder) if (folder / "config.json").is_file() else manifest.encoder
    network = new_network(encoder, manifest.outputs, manifest.pooling)
    network.encoder.set_attn_implementation("sdpa")  # type: ignore[operator]  # what transformers takes by itself
    return network.eval()


def plain_way(folder: Path, network: "StanceNetwork", batch_size: int) -> Way:
    """Return the plain way of transformers: its tokenizer, rows in the given order, padded to the longest, float32."""
    import torch

    manifest = read_manifest(folder)
    tokenizer = _plain_tokenizer(folder, manifest)

    def answer(examples: Sequence[Example]) -> list[str]:
        found: list[str] = []
        for start in range(0, len(examples), batch_size):
            pairs = [render(example, manifest.input_form) for example in examples[start : start + batch_size]]
            given = tokenizer(
                [text for text, _ in pairs],
                [question for _, question in pairs],
                padding=True,
                truncation=True,
                max_length=manifest.max_length,
                return_token_type_ids=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                logits = network(given["input_ids"], given["attention_mask"], given["token_type_ids"])
                best = torch.softmax(logits.float(), dim=-1).argmax(dim=-1).tolist()
            found += [manifest.labels[position] for position in best]
        return found

    return answer


def _plain_tokenizer(folder: Path, manifest: Manifest) -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))  # type: ignore[no-untyped-call]
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(manifest.pad_id)
    return tokenizer


def find_ways(folder: Path, network: "StanceNetwork") -> tuple[dict[str, Way], dict[str, str]]:
    """Return every way that the bundle and the installed packages offer, and why the others are missing."""
    manifest = read_manifest(folder)
    ways = {name: plain_way(folder, network, size) for name, size in PLAIN.items()}
    absent: dict[str, str] = {}
    for name, file in WEIGHTS.items():
        if file not in manifest.files:
            absent[name] = f"the bundle has no {file}"
            continue
        try:
            ways[name] = _stance_way(folder, name)
        except MissingExtraError as error:
            absent[name] = str(error)
    return ways, absent


def _stance_way(folder: Path, backend: str) -> Way:
    predictor = load_predictor(folder, backend=backend)
    return lambda examples: [answer.label for answer in predictor.predict_many(examples)]


def time_round(way: Way, timed: Timed, examples: Sequence[Example], single: int) -> None:
    """Time `way` once over all examples and then over the first `single` ones by themselves.

    A plain way with batches of one answers each by itself anyhow, so that one pass tells both; of the
    others only the pass is timed, since a text by itself is a batch of one for them too (see share_single).
    """
    way(examples[:32])
    if PLAIN.get(timed.name) == 1:
        answered = [_timed(way, [example]) for example in examples]
        timed.answers = [answer for answers, _ in answered for answer in answers]
        timed.rates.append(len(examples) / sum(seconds for _, seconds in answered))
        timed.latencies += [1000 * seconds for _, seconds in answered[:single]]
        return
    timed.answers, seconds = _timed(way, examples)
    timed.rates.append(len(examples) / seconds)
    if measures_single(timed.name):
        timed.latencies += [1000 * _timed(way, [example])[1] for example in examples[:single]]


def _timed(way: Way, examples: Sequence[Example]) -> tuple[list[str], float]:
    started = time.perf_counter()
    answers = way(examples)
    return answers, time.perf_counter() - started


def measures_single(name: str) -> bool:
    """Tell whether a way answers texts by themselves on its own account: of the plain ways, the first does for all."""
    return PLAIN.get(name, 1) == 1


def share_single(timed: Sequence[Timed]) -> None:
    """Give the other plain ways what the one with batches of one took for a text by itself: it is the same work."""
    one = next(each for each in timed if PLAIN.get(each.name) == 1)
    for other in timed:
        if not measures_single(other.name):
            other.latencies, other.cold, other.memory = one.latencies, one.cold, one.memory


def time_cold(folder: Path, timed: Timed, text: str) -> None:
    """Start a fresh process that answers one text; note the seconds until it has, and the most memory it held in MB.

    Raises:
        ModelError: The process failed.
    """
    code = COLD.replace("{load}", LOAD_PLAIN if timed.name in PLAIN else LOAD_STANCE)
    started = time.time()
    ended = subprocess.run([sys.executable, "-c", code, timed.name, str(folder), text], capture_output=True, text=True)
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]
        raise ModelError(f"{folder}: a fresh process could not answer with '{timed.name}' ({reason}). Free some memory")
    end, memory = json.loads(ended.stdout.splitlines()[-1])
    timed.cold.append(end - started)
    timed.memory += [memory] if memory is not None else []


def mean_tokens(folder: Path, examples: Sequence[Example]) -> float:
    """Return how many tokens the model reads of an example, on average, padding not counted."""
    manifest = read_manifest(folder)
    tokenizer = PairTokenizer.from_file(
        folder / "tokenizer.json",
        max_length=manifest.max_length,
        input_form=manifest.input_form,
        pad_id=manifest.pad_id,
    )
    return float(np.mean([len(encoded.ids) for encoded in tokenizer.encode(examples)]))


def products(network: "StanceNetwork") -> list[tuple[int, int]]:
    """Return the (inputs, outputs) of each matrix product that the encoder makes with every token.

    Attention's own products, 1 or 2 % at the length of a sentence, are left out.
    """
    from torch import nn

    named = network.encoder.named_modules()
    return [(m.in_features, m.out_features) for n, m in named if isinstance(m, nn.Linear) and "pooler" not in n]


def product_rate(shapes: Sequence[tuple[int, int]], precision: str, repeats: int = 10) -> float:
    """Return the operations a second that torch reaches over products of these shapes; precision is fp32 or bf16."""
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    best: dict[tuple[int, int], float] = {}
    with torch.inference_mode():
        for shape in set(shapes):
            states, weight = torch.randn(TOKENS, shape[0]).to(kind), torch.randn(shape[1], shape[0]).to(kind)
            times = []
            for _ in range(repeats):
                started = time.perf_counter()
                torch.nn.functional.linear(states, weight)
                times.append(time.perf_counter() - started)
            best[shape] = float(np.min(times))
    return 2 * TOKENS * sum(a * b for a, b in shapes) / sum(best[shape] for shape in shapes)
