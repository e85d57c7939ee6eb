"""Looks for what makes scores wrong: contradictions, leaks, imbalance; duplicates.py finds the alike."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from stance.core import Example, LabelSet
from stance.data.duplicates import held_before, question_of
from stance.data.splits import Splits
from stance.settings import DataSettings

FEW_TARGETS = 20
"""Of so many targets at most, each is expected in every part."""
SHOWN = 8
"""Problems of a kind that the readable report shows."""


@dataclass
class DataReport:
    """What the checks found; `errors` stop the preparation, `warnings` do not."""

    rows: int = 0
    texts: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    balance: dict[str, dict[str, int]] = field(default_factory=dict)
    exact_duplicates: int = 0
    near_duplicates: int = 0
    across: dict[str, dict[str, int]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        labels = list(next(iter(self.balance.values()), {}))
        lines = [f"{self.rows:,} rows, {self.texts:,} different texts"]
        if self.left_out:
            told = ", ".join(f"{count:,} with {reason}" for reason, count in self.left_out.items())
            lines.append(f"  left out, as the settings say: {told}")
        lines.append("  " + "part".ljust(8) + "".join(label.rjust(max(9, len(label) + 2)) for label in labels))
        for part, counts in self.balance.items():
            cells = (f"{counts[label]:,}".rjust(max(9, len(label) + 2)) for label in labels)
            lines.append("  " + part.ljust(8) + "".join(cells))
        for part, counts in self.across.items():
            told = ", ".join(f"{n:,} with {kind}" for kind, n in counts.items() if n)
            lines += [f"  of the {part} rows, in an earlier part too: {told}"] if told else []
        for kind, found in (("error", self.errors), ("warning", self.warnings)):
            lines += [f"  {kind}: {problem}" for problem in found[:SHOWN]]
            if len(found) > SHOWN:
                lines.append(f"  ... and {len(found) - SHOWN:,} more; scripts/prepare.py leaves all in report.json")
        return "\n".join(lines)


def check_examples(
    splits: Splits,
    labels: LabelSet,
    settings: DataSettings,
    pairs: Sequence[tuple[Example, Example]],
) -> DataReport:
    """Check the parts of a data set, one by one and against each other.

    Args:
        splits: The rows.
        labels: Their label set.
        settings: Thresholds, and whether a leak or a contradiction is an error.
        pairs: Near duplicates as near_duplicates found them.
    """
    rows = splits.rows()
    report = DataReport(rows=len(rows), texts=len({e.text for e in rows}), near_duplicates=len(pairs))
    for name, part in splits.parts().items():
        counts = Counter(example.label for example in part)
        report.balance[name] = {label: counts[label] for label in labels.names}
    severity = {"error": report.errors, "warn": report.warnings}
    learned = [label for label, n in report.balance["train"].items() if n]
    if len(learned) == 1 and len(rows) > 1:
        report.errors.append(f"every training row is labelled '{learned[0]}'; expected rows of two labels or more")
    report.exact_duplicates = sum(n - 1 for n in Counter((question_of(e), e.label) for e in rows).values())
    if report.exact_duplicates:
        report.warnings.append(f"{report.exact_duplicates:,} rows repeat another row's text, holder, target and label")
    named = Counter(example.id for example in rows if example.id)
    if shared := [name for name, n in named.items() if n > 1]:
        report.warnings.append(f"{len(shared):,} ids stand for several rows each, such as {shared[0]!r}")
    severity[settings.on_contradiction] += contradictions(rows)
    seen: list[Example] = []
    for name, part in splits.parts().items():
        if name != "train":
            held = held_before(part, seen, pairs)
            report.across[name] = {kind: len(same) for kind, same in held.items() if same}
        seen += part
    severity[settings.on_leak] += leaks(splits, pairs)
    report.warnings += _balance_warnings(report, settings.rare_label) + _missing_fields(rows)
    report.warnings += _targets_apart(splits)
    return report


def contradictions(examples: Sequence[Example]) -> list[str]:
    """Name the questions that are answered with two labels."""
    answers: dict[tuple[str, str, str], list[Example]] = defaultdict(list)
    for example in examples:
        answers[question_of(example)].append(example)
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
            texts[question_of(example)[0]].setdefault(part, example)
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


def _balance_warnings(report: DataReport, rare: int) -> list[str]:
    totals: Counter[str] = Counter()
    for counts in report.balance.values():
        totals.update(counts)
    warnings = [f"label '{label}' is rare: {n} rows, fewer than {rare}" for label, n in totals.items() if n < rare]
    for part, counts in report.balance.items():
        warnings += [f"no row is labelled '{label}' in {part}" for label, n in counts.items() if n == 0 < totals[label]]
    return warnings


def _targets_apart(splits: Splits) -> list[str]:
    """Say which of a few targets are in train alone, or in dev or test alone."""
    learned = {example.target for example in splits.train}
    if not 1 < len(learned) <= FEW_TARGETS or None in learned:
        return []
    warnings = []
    for name, part in splits.parts().items():
        asked = Counter(example.target for example in part)
        new = {str(target): n for target, n in asked.items() if target not in learned}
        if new:
            told = ", ".join(list(new)[:SHOWN])
            warnings.append(f"{sum(new.values()):,} {name} rows are about targets that no train row is about: {told}")
        lacking = sorted(str(target) for target in learned - set(asked))
        if lacking and 2 * len(lacking) < len(learned):
            warnings.append(f"no {name} row is about {', '.join(lacking)}, as train rows are")
    return warnings


def _missing_fields(rows: Sequence[Example]) -> list[str]:
    warnings = []
    for field_name in ("holder", "target"):
        missing = sum(getattr(example, field_name) is None for example in rows)
        if missing * 2 > len(rows):
            warnings.append(f"{missing:,} of {len(rows):,} rows have no {field_name}")
    return warnings
