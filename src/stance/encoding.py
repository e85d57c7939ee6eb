"""Text pairs -> token ids -> padded batches, with `tokenizers` alone; training and inference share it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from stance.core import Example
from stance.text import Pair, render

WINDOW = 4096
"""Examples that are tokenised at a time where only a number of each is kept."""
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """One tokenised pair: ids, segment of each id (0 sentence, 1 question), tokens left out."""

    ids: list[int]
    segments: list[int]
    cut: int


@dataclass(frozen=True)
class Batch:
    """Padded ids, mask and segments, each (rows, tokens), and the positions the rows came from."""

    ids: Ids
    mask: Ids
    segments: Ids
    positions: list[int]


class PairTokenizer:
    """Renders and tokenises examples; a pair longer than `max_length` loses the end of its longer part."""

    def __init__(self, tokenizer_json: str, *, max_length: int, input_form: str, pad_id: int) -> None:
        self._whole = Tokenizer.from_str(tokenizer_json)
        self._whole.no_padding()
        self._whole.no_truncation()
        self.max_length, self.input_form, self.pad_id = max_length, input_form, pad_id

    @classmethod
    def from_file(cls, path: Path, *, max_length: int, input_form: str, pad_id: int) -> "PairTokenizer":
        """Read a tokenizer.json; raises OSError or ValueError when it can't be."""
        return cls(path.read_text("utf-8"), max_length=max_length, input_form=input_form, pad_id=pad_id)

    @cached_property
    def _cutting(self) -> Tokenizer:
        """The tokenizer that cuts, made when the first pair is too long."""
        tokenizer = Tokenizer.from_str(self.to_json())
        tokenizer.enable_truncation(self.max_length, strategy="longest_first")
        return tokenizer

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """Tokenise examples, in order; `cut` says how many tokens of each did not fit."""
        return self.encode_pairs([render(example, self.input_form) for example in examples])

    def encode_pairs(self, pairs: Sequence[Pair]) -> list[Encoded]:
        """Tokenise rendered pairs, as encode does."""
        encoded = []
        for pair, whole in zip(pairs, self._whole.encode_batch_fast(list(pairs)), strict=True):
            cut = max(0, len(whole.ids) - self.max_length)
            kept = self._cutting.encode(*pair) if cut else whole
            encoded.append(Encoded(kept.ids, kept.type_ids, cut))
        return encoded

    def tokens_cut(self, examples: Sequence[Example]) -> list[int]:
        """Return how many tokens of each example the model would not see."""
        windows = (examples[start : start + WINDOW] for start in range(0, len(examples), WINDOW))
        return [encoded.cut for window in windows for encoded in self.encode(window)]

    def cut_note(self, examples: Sequence[Example]) -> str:
        """Return a line for the data report that says how many texts are too long, empty when none is."""
        cut = [count for count in self.tokens_cut(examples) if count]
        if not cut:
            return ""
        told = f"{len(cut):,} texts are too long for model.max_length={self.max_length}"
        return f"\n  warning: {told}: up to {max(cut):,} tokens are cut"

    def to_json(self) -> str:
        """Return the content of tokenizer.json, without truncation and padding."""
        return str(self._whole.to_str())

    def pad(self, rows: Sequence[Encoded], positions: Sequence[int], multiple: int = 1) -> Batch:
        """Put rows[p] for each position p into one batch as wide as its longest row.

        The width is rounded up to a multiple; fewer different shapes need less memory in training.
        """
        width = -(-max(len(rows[p].ids) for p in positions) // multiple) * multiple
        ids = np.full((len(positions), width), self.pad_id, dtype=np.int64)
        mask, segments = np.zeros_like(ids), np.zeros_like(ids)
        for line, position in enumerate(positions):
            length = len(rows[position].ids)
            ids[line, :length], mask[line, :length] = rows[position].ids, 1
            segments[line, :length] = rows[position].segments
        return Batch(ids, mask, segments, list(positions))


def by_length(rows: Sequence[Encoded], max_tokens: int) -> Iterator[list[int]]:
    """Yield positions grouped by length, longest first, at most `max_tokens` padded tokens a batch."""
    order = sorted(range(len(rows)), key=lambda p: -len(rows[p].ids))
    start = 0
    while start < len(order):
        size = max(1, max_tokens // max(1, len(rows[order[start]].ids)))
        yield order[start : start + size]
        start += size
