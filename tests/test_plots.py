"""The figures say what they show; no pixel is compared."""

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stance.core import Example, LabelSet
from stance.evaluation import plots
from stance.evaluation.report import Report, make_report

LABELS = LabelSet(("accept", "refuse", "none"))


@pytest.fixture(scope="module")
def report() -> Report:
    rng = np.random.default_rng(0)
    examples = [Example(f"Row {i}.", label=LABELS.names[i % 3]) for i in range(30)]
    made = make_report(LABELS, examples, rng.dirichlet(np.ones(3), 30), resamples=20)
    others = {name: {"macro_f1": made.scores["macro_f1"]} for name in ("majority", "tfidf+logistic")}
    return replace(made, baselines=others)


def axes_of(figure: Figure) -> Axes:
    (axes,) = figure.axes
    return axes


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("scores", "macro-F1 with 95 % interval", ""),
        ("confusion", "predicted", "right label"),
        ("reliability", "confidence", "share right"),
        ("risk_coverage", "share answered (most confident first)", "error rate"),
    ],
)
def test_plots_label_their_axes(report: Report, name: str, x: str, y: str) -> None:
    figures = plots.figures(report)
    assert len(figures) == 4
    axes = axes_of(figures[name])
    assert (axes.get_xlabel(), axes.get_ylabel()) == (x, y)


def test_plots_scores_name_the_model_and_every_baseline(report: Report) -> None:
    axes = axes_of(plots.scores(report))
    assert [t.get_text() for t in axes.get_yticklabels()] == ["tfidf+logistic", "majority", "model"]
    assert [bar.get_width() for bar in axes.patches] == [pytest.approx(report.scores["macro_f1"].value)] * 3  # type: ignore[attr-defined]


def test_plots_confusion_shows_every_count_and_label(report: Report) -> None:
    axes = axes_of(plots.confusion(report))
    assert [text.get_text() for text in axes.texts] == [f"{n:.0f}" for n in report.confusion.ravel()]
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == list(LABELS.names)


def test_plots_reliability_counts_all_rows(report: Report) -> None:
    axes = axes_of(plots.reliability(report))
    assert sum(int(text.get_text()) for text in axes.texts) == len(report.examples)
    legend = axes.get_legend()
    assert legend is not None and [t.get_text() for t in legend.get_texts()] == ["perfectly calibrated", "model"]


def test_plots_coverage_ends_at_the_error_rate(report: Report) -> None:
    (line,) = axes_of(plots.coverage(report)).lines
    end = np.asarray(line.get_xydata())[-1]
    assert end == pytest.approx([1.0, 1 - report.scores["accuracy"].value])


def test_plots_learning_curve_has_a_point_an_epoch() -> None:
    history = [{"epoch": float(i), "train/loss": 1 / i, "dev/macro_f1": 0.1 * i} for i in (1, 2, 3)]
    axes = axes_of(plots.learning_curve(history))
    assert [line.get_label() for line in axes.lines] == ["training loss", "dev macro-F1"]
    assert [np.asarray(line.get_xdata()).tolist() for line in axes.lines] == [[1.0, 2.0, 3.0]] * 2


def test_plots_can_be_saved(report: Report) -> None:
    stream = io.BytesIO()
    plots.confusion(report).savefig(stream, format="png")
    assert stream.getvalue().startswith(b"\x89PNG")
