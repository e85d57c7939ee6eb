"""Writes rows of random words, to measure growth on; they mean nothing."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

VOCABULARY = 20_000
TWINS = 50
"""One row in so many is a near duplicate of the row before."""


def write_rows(path: Path, count: int, labels: Sequence[str], seed: int = 0) -> Path:
    """Write `count` labelled rows of 8 to 30 made-up words as JSONL, and return the path."""
    rng = random.Random(seed)
    words = [_word(rng) for _ in range(VOCABULARY)]
    said: list[str] = []
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            twin = number % TWINS == 1
            said = [*said[:-1], rng.choice(words)] if twin else rng.choices(words, k=rng.randint(8, 30))
            row = {"id": str(number), "text": " ".join(said), "holder": rng.choice(words), "target": rng.choice(words)}
            stream.write(json.dumps(row | {"label": labels[number % len(labels)]}) + "\n")
    return path


def _word(rng: random.Random) -> str:
    return "".join(rng.choice("bcdfghjklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(1, 4)))
