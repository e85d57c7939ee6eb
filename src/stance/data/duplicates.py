"""Finds rows that say the same: equal questions, equal texts, near-duplicate texts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from stance.core import Example
from stance.data.splits import Splits

Pair = tuple[int, int]
PERMUTATIONS = 64
"""MinHash values of a text."""


def near_duplicates(examples: Sequence[Example], threshold: float) -> list[Pair]:
    """Return positions of different texts whose 3-word shingles overlap by at least `threshold`.

    Candidates come from MinHash with banding, as in locality-sensitive hashing; each is confirmed
    by the exact Jaccard similarity. One position stands for all rows of the same text.
    """
    first: dict[str, int] = {}
    for index, example in enumerate(examples):
        first.setdefault(example.text, index)
    texts, positions = list(first), list(first.values())
    found: set[Pair] = set()
    for run in alike(texts, threshold):
        sets = {index: shingles(texts[index]) for index in run}
        for one, other in combinations(run, 2):
            pair = positions[one], positions[other]
            if pair not in found and _jaccard(sets[one], sets[other]) >= threshold:
                found.add(pair)
    return sorted(found)


def _jaccard(one: set[str], other: set[str]) -> float:
    same = len(one & other)
    return same / (len(one) + len(other) - same)


def alike(texts: Sequence[str], threshold: float) -> Iterator[list[int]]:
    """Yield runs of positions that share a band of MinHash values; a pair of texts may come more than once.

    Only the values are kept, 256 bytes a text; datasketch's own index takes kilobytes.
    """
    from datasketch import MinHash, MinHashLSH

    plan = MinHashLSH(threshold=min(threshold, 0.9), num_perm=PERMUTATIONS)
    values = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
    encoded = ([shingle.encode() for shingle in shingles(text)] for text in texts)
    for row, minhash in zip(values, MinHash.generator(encoded, num_perm=PERMUTATIONS, seed=1), strict=True):
        row[:] = minhash.hashvalues
    mixing = np.random.default_rng(0).integers(2**63, size=plan.r, dtype=np.uint64)
    for band in range(plan.b):
        keys = (values[:, band * plan.r : (band + 1) * plan.r] * mixing).sum(axis=1)
        order = keys.argsort(kind="stable")
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        starts, ends = np.append(0, edges), np.append(edges, len(keys))
        several = ends - starts > 1
        for start, end in zip(starts[several].tolist(), ends[several].tolist(), strict=True):
            yield order[start:end].tolist()


def shingles(text: str, size: int = 3) -> set[str]:
    """Return the runs of `size` words in `text`; a shorter text is one run."""
    words = text.lower().split()
    return {" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))}


def question_of(example: Example) -> tuple[str, str, str]:
    """Return text, holder and target without what case and spaces change."""
    folded = (" ".join((value or "").lower().split()) for value in (example.text, example.holder, example.target))
    text, holder, target = folded
    return text, holder, target


def held_before(
    rows: Sequence[Example], seen: Sequence[Example], pairs: Sequence[tuple[Example, Example]]
) -> dict[str, list[int]]:
    """Return the positions of the rows that `seen` holds too, each once, by how much is the same.

    Args:
        rows: Those asked about.
        seen: The rows of earlier parts.
        pairs: Examples with near-duplicate texts.
    """
    twins: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        twins[one.text].add(other.text)
        twins[other.text].add(one.text)
    questions, exact = {question_of(e) for e in seen}, {e.text for e in seen}
    texts = {question[0] for question in questions}
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for position, example in enumerate(rows):
        question = question_of(example)
        tests = (question in questions, question[0] in texts, not exact.isdisjoint(twins.get(example.text, ())))
        kind = next((kind for kind, holds in zip(KINDS, tests, strict=True) if holds), None)
        if kind:
            found[kind].append(position)
    return found


KINDS = (
    "the same text, holder and target",
    "the same text, another holder or target",
    "a near-duplicate text",
)


def overlap(splits: Splits, threshold: float) -> dict[str, list[int]]:
    """Return the positions of the test rows that train or dev holds too, by how much is the same."""
    seen = [*splits.train, *splits.dev]
    rows = [*seen, *splits.test]
    pairs = [(rows[one], rows[other]) for one, other in near_duplicates(rows, threshold)]
    return held_before(splits.test, seen, pairs)
