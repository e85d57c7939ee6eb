"""Looks for what makes scores wrong: duplicates, contradictions, leaks, imbalance, cut texts."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations

import numpy as np

from stance.core import Example, LabelSet
from stance.data.splits import Splits
from stance.settings import DataSettings

Pair = tuple[int, int]
PERMUTATIONS = 64
"""MinHash values of a text."""
SHOWN = 8
"""Problems of a kind that the readable report shows."""


@dataclass
class DataReport:
    """What the checks found; `errors` stop the preparation, `warnings` do not."""

    rows: int = 0
    texts: int = 0
    balance: dict[str, dict[str, int]] = field(default_factory=dict)
    exact_duplicates: int = 0
    near_duplicates: int = 0
    across: dict[str, dict[str, int]] = field(default_factory=dict)
    cut: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        labels = list(next(iter(self.balance.values()), {}))
        lines = [f"{self.rows:,} rows, {self.texts:,} different texts"]
        lines.append("  " + "part".ljust(8) + "".join(label.rjust(max(9, len(label) + 2)) for label in labels))
        for part, counts in self.balance.items():
            cells = (f"{counts[label]:,}".rjust(max(9, len(label) + 2)) for label in labels)
            lines.append("  " + part.ljust(8) + "".join(cells))
        for part, counts in self.across.items():
            told = ", ".join(f"{n:,} with {kind}" for kind, n in counts.items() if n)
            lines += [f"  of the {part} rows, in an earlier part too: {told}"] if told else []
        for kind, found in (("error", self.errors), ("warning", self.warnings)):
            lines += [f"  {kind}: {problem}" for problem in found[:SHOWN]]
            lines += [f"  ... and {len(found) - SHOWN:,} more; report.json has them all"] if len(found) > SHOWN else []
        return "\n".join(lines)


def check_examples(
    splits: Splits,
    labels: LabelSet,
    settings: DataSettings,
    pairs: Sequence[tuple[Example, Example]],
    tokens_cut: Callable[[Sequence[Example]], list[int]] | None = None,
) -> DataReport:
    """Check the parts of a data set, one by one and against each other.

    Args:
        splits: The rows.
        labels: Their label set.
        settings: Thresholds, and whether a leak or a contradiction is an error.
        pairs: Near duplicates as near_duplicates found them.
        tokens_cut: Tells how many tokens a model would cut from each example; None: not checked.
    """
    rows = [example for part in splits.parts().values() for example in part]
    report = DataReport(rows=len(rows), texts=len({e.text for e in rows}), near_duplicates=len(pairs))
    for name, part in splits.parts().items():
        counts = Counter(example.label for example in part)
        report.balance[name] = {label: counts[label] for label in labels.names}
    severity = {"error": report.errors, "warn": report.warnings}
    report.exact_duplicates = sum(n - 1 for n in Counter((_question(e), e.label) for e in rows).values())
    if report.exact_duplicates:
        report.warnings.append(f"{report.exact_duplicates:,} rows repeat another row's text, holder, target and label")
    severity[settings.on_contradiction] += contradictions(rows)
    report.across = across(splits, pairs)
    severity[settings.on_leak] += leaks(splits, pairs)
    report.warnings += _balance_warnings(report, settings.rare_label) + _missing_fields(rows)
    if tokens_cut is not None:
        cut = tokens_cut(rows)
        report.cut = sum(n > 0 for n in cut)
        if report.cut:
            report.warnings.append(
                f"{report.cut:,} texts are too long for the model: up to {max(cut):,} tokens are cut"
            )
    return report


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


def contradictions(examples: Sequence[Example]) -> list[str]:
    """Name the questions that are answered with two labels."""
    answers: dict[tuple[str, str, str], list[Example]] = defaultdict(list)
    for example in examples:
        answers[_question(example)].append(example)
    return [
        f"two labels ({', '.join(sorted({e.label or '' for e in found}))}) for the same question: "
        f"{found[0].text[:80]!r}, holder {found[0].holder!r}, target {found[0].target!r}. Keep one"
        for found in answers.values()
        if len({e.label for e in found}) > 1
    ]


def leaks(splits: Splits, pairs: Sequence[tuple[Example, Example]]) -> list[str]:
    """Name what stands on two sides of the split: equal texts, near duplicates, groups."""
    texts: dict[str, dict[str, Example]] = defaultdict(dict)
    groups: dict[str, dict[str, Example]] = defaultdict(dict)
    for part, rows in splits.parts().items():
        for example in rows:
            texts[_question(example)[0]].setdefault(part, example)
            if example.group:
                groups[example.group].setdefault(part, example)
    found = [f"the same text is in {_sides(sides)}" for sides in texts.values() if len(sides) > 1]
    home = {example.text: name for name, part in splits.parts().items() for example in part}
    found += [
        f"near duplicates in {home[one.text]} and {home[other.text]}: {one.text[:70]!r} and {other.text[:70]!r}"
        for one, other in pairs
        if home[one.text] != home[other.text]
    ]
    return found + [f"rows of one group are in {_sides(sides)}" for sides in groups.values() if len(sides) > 1]


def _sides(sides: Mapping[str, Example]) -> str:
    return f"{' and '.join(sorted(sides))}: {next(iter(sides.values())).text[:80]!r}"


def across(splits: Splits, pairs: Sequence[tuple[Example, Example]]) -> dict[str, dict[str, int]]:
    """Count the dev and test rows that an earlier part holds too, each once, by how much is the same."""
    twins: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        twins[one.text].add(other.text)
        twins[other.text].add(one.text)
    counts: dict[str, dict[str, int]] = {}
    seen = list(splits.train)
    for part, rows in (("dev", splits.dev), ("test", splits.test)):
        questions, exact = {_question(e) for e in seen}, {e.text for e in seen}
        texts = {question[0] for question in questions}
        tally = Counter(
            "the same text, holder and target"
            if (question := _question(example)) in questions
            else "the same text, asked otherwise"
            if question[0] in texts
            else "a near-duplicate text"
            for example in rows
            if _question(example)[0] in texts or not exact.isdisjoint(twins.get(example.text, ()))
        )
        counts[part] = dict(sorted(tally.items(), reverse=True))
        seen += rows
    return counts


def overlap(splits: Splits, threshold: float) -> dict[str, list[int]]:
    """Return the positions of the test rows that train or dev holds too, by how much is the same."""
    seen = [*splits.train, *splits.dev]
    questions, texts = {_question(e) for e in seen}, {_question(e)[0] for e in seen}
    unseen = {e.text: e for e in splits.test if _question(e)[0] not in texts}
    rows = [*seen, *unseen.values()]
    near = {rows[b].text for a, b in near_duplicates(rows, threshold) if a < len(seen) <= b}
    same = [_question(e) in questions for e in splits.test]
    text = [_question(e)[0] in texts for e in splits.test]
    return {
        "the same text, holder and target": [i for i, found in enumerate(same) if found],
        "the same text, another holder or target": [i for i, found in enumerate(text) if found and not same[i]],
        "a near-duplicate text": [i for i, e in enumerate(splits.test) if e.text in near],
    }


def _question(example: Example) -> tuple[str, str, str]:
    folded = (" ".join((value or "").lower().split()) for value in (example.text, example.holder, example.target))
    text, holder, target = folded
    return text, holder, target


def _balance_warnings(report: DataReport, rare: int) -> list[str]:
    totals: Counter[str] = Counter()
    for counts in report.balance.values():
        totals.update(counts)
    warnings = [f"label '{label}' is rare: {n} rows, fewer than {rare}" for label, n in totals.items() if n < rare]
    for part, counts in report.balance.items():
        warnings += [f"no row is labelled '{label}' in {part}" for label, n in counts.items() if n == 0 < totals[label]]
    return warnings


def _missing_fields(rows: Sequence[Example]) -> list[str]:
    warnings = []
    for field_name in ("holder", "target"):
        missing = sum(getattr(example, field_name) is None for example in rows)
        if missing * 2 > len(rows):
            warnings.append(f"{missing:,} of {len(rows):,} rows have no {field_name}")
    return warnings
