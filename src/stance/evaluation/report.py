"""Evaluates any Classifier on labelled examples: the Report. Sees no model and draws no picture."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt

from stance.core import Array, Classifier, Example, LabelSet
from stance.errors import DataError
from stance.evaluation.metrics import (
    Labels,
    Score,
    confusion_matrix,
    group_weights,
    score_table,
    with_interval,
)

FIRST = ("macro_f1", "accuracy", "accuracy_decided")
"""The scores that are shown first, and of the baselines alone; the last only where it can be had."""


@dataclass(frozen=True)
class Report:
    """All that was measured of one classifier on one set of examples.

    Attributes:
        labels: Their names, in the order of the columns.
        examples: The rows that were scored, n_rows.
        gold: Positions of the right labels, shape (n_rows,).
        probabilities: Shape (n_rows, n_labels).
        scores: accuracy, macro_f1, f1/LABEL, precision/LABEL, recall/LABEL, brier, log_loss, ece; and
            accuracy_decided, on the rows whose text has two labels, so that holder or target decides;
            and swap_unchanged, the share of predictions that stay when other states are put in.
        slices: "column=value" -> (rows, accuracy); one row can be in several slices. abstained=no are the rows
            that a predictor answers at its threshold.
        baselines: Name -> macro_f1 and accuracy of what the classifier has to beat.
    """

    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    gold: Labels
    probabilities: Array
    scores: Mapping[str, Score]
    slices: Mapping[str, tuple[int, Score]]
    baselines: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)

    @property
    def confusion(self) -> Array:
        """Counts of shape (n_labels gold, n_labels predicted)."""
        return confusion_matrix(self.gold, self.probabilities.argmax(axis=1), len(self.labels))

    def mistakes(self, most: int = 50) -> list[dict[str, object]]:
        """Return the `most` most confident mistakes, the worst first."""
        predicted, confidence = self.probabilities.argmax(axis=1), self.probabilities.max(axis=1)
        wrong = np.flatnonzero(predicted != self.gold)
        worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
        return [
            {
                "confidence": round(float(confidence[i]), 3),
                "predicted": self.labels[predicted[i]],
                "label": self.labels[self.gold[i]],
                "holder": self.examples[i].holder or "",
                "target": self.examples[i].target or "",
                "text": self.examples[i].text,
                "id": self.examples[i].id or "",
            }
            for i in worst
        ]

    def to_csv(self) -> str:
        """Return every row with its answer as CSV, those whose label the classifier doubts most first.

        `doubt` is 1 minus the probability of the given label (self-confidence, Northcutt et al. 2021, section 4).
        """
        given = self.probabilities[np.arange(len(self.gold)), self.gold]
        predicted = self.probabilities.argmax(axis=1)
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("doubt", "label", "predicted", "holder", "target", "text", "id"))
        for i in np.argsort(given, kind="stable"):
            example = self.examples[i]
            question = (example.holder, example.target, example.text, example.id)
            answer = (f"{1 - given[i]:.3f}", self.labels[self.gold[i]], self.labels[predicted[i]])
            writer.writerow((*answer, *question))
        return stream.getvalue()

    def to_json(self) -> str:
        """Return scores, slices, baselines and confusion as JSON text."""
        whole = {
            "rows": len(self.examples),
            "labels": self.labels,
            "scores": {name: asdict(score) for name, score in self.scores.items()},
            "baselines": {n: {k: asdict(s) for k, s in t.items()} for n, t in self.baselines.items()},
            "slices": {name: {"rows": n, **asdict(score)} for name, (n, score) in self.slices.items()},
            "confusion": self.confusion.tolist(),
        }
        return json.dumps(whole, indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Return a page with the scores beside the baselines, the labels, the slices and the mistakes."""
        parts = [f"# Evaluation on {len(self.examples):,} rows\n", summary_table(self), _label_table(self)]
        parts.append(
            markdown_table(["probabilities", "value [95 % interval]"], [(n, str(self.scores[n])) for n in PROPER])
        )
        rows = [(name, str(n), str(score)) for name, (n, score) in self.slices.items()]
        parts.append("## Slices\n\n" + markdown_table(["slice", "rows", "accuracy [95 % interval]"], rows))
        mistakes = self.mistakes()
        cells = [[str(v).replace("|", "/").replace("\n", " ") for v in m.values()] for m in mistakes]
        heads = list(mistakes[0]) if mistakes else ["none"]
        return "\n".join([*parts, "## The most confident mistakes\n", markdown_table(heads, cells)])


PROPER = ("brier", "log_loss", "ece")


def evaluate(classifier: Classifier, examples: Sequence[Example], *, resamples: int = 1000) -> Report:
    """Score `classifier` on labelled `examples`.

    Args:
        classifier: Its labels must contain every label of the examples.
        examples: At least one; labelled.
        resamples: Bootstrap resamples behind each interval.

    Raises:
        DataError: No example, or an unknown or missing label.
    """
    if not examples:
        raise DataError("evaluate: got no examples; expected at least one labelled row")
    probabilities = classifier.predict_proba(examples)
    return make_report(classifier.labels, examples, probabilities, resamples=resamples)


def make_report(
    labels: LabelSet, examples: Sequence[Example], probabilities: Array, *, resamples: int = 1000
) -> Report:
    """As evaluate, for probabilities that are already there, shape (n_examples, n_labels)."""
    gold = labels.indices(examples)
    weights = group_weights(group_numbers(examples), resamples)
    scores = score_table(gold, probabilities, labels.names, weights)
    right = (probabilities.argmax(axis=1) == gold).astype(np.float64)
    slices = _slices(examples, right, resamples)
    decided = decided_by_question(examples)
    if decided:
        scores["accuracy_decided"] = share_with_interval([examples[i] for i in decided], right[decided], resamples)
    return Report(labels.names, tuple(examples), gold, probabilities, scores, slices)


def group_numbers(examples: Sequence[Example]) -> list[int]:
    """Number the groups for the bootstrap: the group where given, else the text."""
    seen: dict[str, int] = {}
    return [seen.setdefault(e.group or e.text, len(seen)) for e in examples]


def decided_by_question(examples: Sequence[Example]) -> list[int]:
    """Return the positions of rows whose text occurs with two labels: only holder or target tell them apart."""
    answers: dict[str, set[str | None]] = defaultdict(set)
    for example in examples:
        answers[example.text].add(example.label)
    return [i for i, example in enumerate(examples) if len(answers[example.text]) > 1]


def summary_table(report: Report) -> str:
    """Return the first scores of the model and of each baseline as a Markdown table."""
    named = {"model": report.scores} | dict(report.baselines)
    rows = [(name, *(str(scores.get(key, "")) for key in FIRST)) for name, scores in named.items()]
    return markdown_table(["", "macro-F1 [95 % interval]", "accuracy", "accuracy where holder or target decides"], rows)


def _label_table(report: Report) -> str:
    gold = report.confusion.sum(axis=1).astype(int)
    names = ("f1", "precision", "recall")
    rows = [
        (label, str(gold[i]), *(str(report.scores[f"{n}/{label}"]) for n in names))
        for i, label in enumerate(report.labels)
    ]
    return markdown_table(["label", "rows", "F1", "precision", "recall"], rows)


def _slices(examples: Sequence[Example], right: Array, resamples: int) -> dict[str, tuple[int, Score]]:
    members: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        for name, values in example.slices.items():
            for value in values:
                members[f"{name}={value}"].append(index)
    return _accuracies(dict(sorted(members.items())), examples, right, resamples)


def _accuracies(
    members: Mapping[str, Sequence[int]], examples: Sequence[Example], right: Array, resamples: int
) -> dict[str, tuple[int, Score]]:
    """Return rows and accuracy of each set of positions."""
    return {
        name: (len(rows), share_with_interval([examples[i] for i in rows], right[rows], resamples))
        for name, rows in members.items()
    }


def abstention_slices(report: Report, threshold: float, resamples: int) -> dict[str, tuple[int, Score]]:
    """Return accuracy on the rows that are answered at this confidence, and on those where the classifier abstains."""
    right = (report.probabilities.argmax(axis=1) == report.gold).astype(np.float64)
    answered = report.probabilities.max(axis=1) >= threshold
    named = {"abstained=no": np.flatnonzero(answered).tolist(), "abstained=yes": np.flatnonzero(~answered).tolist()}
    return _accuracies({name: rows for name, rows in named.items() if rows}, report.examples, right, resamples)


def share_with_interval(examples: Sequence[Example], right: npt.ArrayLike, resamples: int) -> Score:
    """Return the share of rows that are `right`, shape (n_examples,), with its interval over groups."""
    right = np.asarray(right, dtype=np.float64)
    weights = group_weights(group_numbers(examples), resamples)
    return with_interval(float(right.mean()), weights @ right / np.maximum(weights.sum(axis=1), 1))


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; no cell may hold a bar or a line break."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
