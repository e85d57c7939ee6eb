"""The report of a classifier on labelled examples."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from stance.core import Array, Example, LabelSet
from stance.errors import DataError
from stance.evaluation.report import Report, abstention_slices, evaluate, group_numbers, make_report, summary_table

LABELS = LabelSet(("accept", "refuse"))
EXAMPLES = [
    Example("One | two.", "t", "Kenya", "accept", slices={"genre": ("wire",), "phenomena": ("a", "b")}),
    Example("Two.", None, None, "accept", slices={"genre": ("wire",), "phenomena": ()}),
    Example("Three.", "t", "Peru", "refuse", slices={"genre": ("speech",), "phenomena": ("b",)}),
    Example("Four.", "t", "Peru", "refuse"),
]
PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.99, 0.01]])


@dataclass
class Fixed:
    labels: LabelSet
    probabilities: Array

    def predict_proba(self, examples: Sequence[Example]) -> Array:
        return self.probabilities[: len(examples)]


@pytest.fixture
def report() -> Report:
    return evaluate(Fixed(LABELS, PROBABILITIES), EXAMPLES, resamples=20)


def test_report_scores_and_counts(report: Report) -> None:
    assert report.scores["accuracy"].value == 0.5
    assert report.confusion.tolist() == [[1, 1], [1, 1]]
    assert report.scores["recall/refuse"].value == 0.5


def test_report_scores_apart_what_only_the_question_decides() -> None:
    texts = ["One.", "One.", "Two.", "Two."]
    rows = [Example(t, holder=h, label=e.label) for t, h, e in zip(texts, "abab", EXAMPLES, strict=True)]
    rows[1] = replace(rows[1], label="refuse")
    report = make_report(LABELS, rows, PROBABILITIES, resamples=20)
    assert report.scores["accuracy_decided"].value == 1.0, "of the first two rows, whose text has two labels"
    assert report.scores["accuracy"].value == 0.75


def test_report_slices_count_each_value_of_a_row(report: Report) -> None:
    assert {name: (n, score.value) for name, (n, score) in report.slices.items()} == {
        "genre=speech": (1, 1.0),
        "genre=wire": (2, 0.5),
        "phenomena=a": (1, 1.0),
        "phenomena=b": (2, 1.0),
    }


def test_report_mistakes_put_the_most_confident_first(report: Report) -> None:
    assert [(m["text"], m["label"], m["predicted"], m["confidence"]) for m in report.mistakes()] == [
        ("Four.", "refuse", "accept", 0.99),
        ("Two.", "accept", "refuse", 0.8),
    ]
    assert len(report.mistakes(most=1)) == 1


def test_report_markdown_has_all_parts_and_whole_tables(report: Report) -> None:
    others = {"majority": {name: report.scores[name] for name in ("macro_f1", "accuracy")}}
    text = replace(report, baselines=others).to_markdown()
    assert all(part in text for part in ("# Evaluation on 4 rows", "majority", "genre=wire", "| refuse | 2 |", "ece"))
    mistakes = text[text.index("mistakes") :].splitlines()[2:]
    assert {line.count("|") for line in mistakes if line} == {8}


def test_report_without_mistakes_says_none() -> None:
    whole = evaluate(Fixed(LABELS, np.eye(2)[[0, 0, 1, 1]]), EXAMPLES, resamples=10)
    assert whole.mistakes() == [] and "| none |" in whole.to_markdown()


def test_report_csv_puts_the_most_doubted_label_first(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [(row["text"], row["doubt"], row["label"], row["predicted"]) for row in rows] == [
        ("Four.", "0.990", "refuse", "accept"),
        ("Two.", "0.800", "accept", "refuse"),
        ("One | two.", "0.100", "accept", "accept"),
        ("Three.", "0.100", "refuse", "refuse"),
    ]


def test_report_json_holds_the_scores(report: Report) -> None:
    read = json.loads(report.to_json())
    assert read["rows"] == 4 and read["labels"] == list(LABELS.names) and read["confusion"] == [[1, 1], [1, 1]]
    assert read["scores"]["accuracy"].keys() == {"value", "low", "high"}
    assert read["slices"]["genre=wire"]["rows"] == 2


def test_report_summary_puts_baselines_under_the_model(report: Report) -> None:
    others = {"majority": {name: report.scores[name] for name in ("macro_f1", "accuracy")}}
    lines = summary_table(replace(report, baselines=others)).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == ["model", "majority"]


def test_report_groups_rows_by_group_else_by_text() -> None:
    rows = [Example("a", group="1"), Example("b", group="1"), Example("c"), Example("c", holder="x"), Example("d")]
    assert group_numbers(rows) == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("examples", "problem"),
    [([], "got no examples"), ([Example("x")], "label '' is not"), ([Example("x", label="no")], "label 'no' is not")],
)
def test_report_needs_labelled_examples(examples: list[Example], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        evaluate(Fixed(LABELS, PROBABILITIES), examples)


def test_report_says_how_often_what_is_answered_is_right() -> None:
    report = make_report(LABELS, EXAMPLES, PROBABILITIES, resamples=20)
    sure = PROBABILITIES.max(axis=1)
    bar = float(np.median(sure))
    slices = abstention_slices(report, bar, 20)
    right = PROBABILITIES.argmax(axis=1) == LABELS.indices(EXAMPLES)
    for name, rows in (("abstained=no", sure >= bar), ("abstained=yes", sure < bar)):
        assert slices[name][0] == rows.sum() and slices[name][1].value == pytest.approx(right[rows].mean())
    assert list(abstention_slices(report, 0.0, 20)) == ["abstained=no"]
