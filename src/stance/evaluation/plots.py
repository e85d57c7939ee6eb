"""Figures of a Report; the only user of matplotlib."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stance.evaluation.compare import Compared
from stance.evaluation.metrics import reliability_bins, risk_coverage
from stance.evaluation.report import Report

BLUE, GREY = "#2b6cb0", "#718096"


def figures(report: Report) -> dict[str, Figure]:
    """Return the figures of a report by name."""
    return {
        "scores": scores(report),
        "confusion": confusion(report),
        "reliability": reliability(report),
        "risk_coverage": coverage(report),
    }


def scores(report: Report) -> Figure:
    """Macro-F1 of the model and of each baseline with intervals."""
    figure, axes = _axes(6, 3)
    named = {"model": report.scores} | dict(report.baselines)
    names = list(named)[::-1]
    for height, name in enumerate(names):
        score = named[name]["macro_f1"]
        colour = BLUE if name == "model" else GREY
        axes.barh(height, score.value, color=colour)
        axes.plot([score.low, score.high], [height, height], color="black", linewidth=1.5)
        axes.text(max(score.high, score.value) + 0.01, height, f"{score.value:.2f}", va="center")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(0, 1.1), xlabel="macro-F1 with 95 % interval")
    return figure


def confusion(report: Report) -> Figure:
    """Counts by right and predicted label, shaded by the share of the row."""
    counts = report.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.2 + 0.7 * len(report.labels)
    figure, axes = _axes(size + 0.6, size)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*counts.shape):
        axes.text(
            j, i, f"{counts[i, j]:.0f}", ha="center", va="center", color="white" if shares[i, j] > 0.5 else "black"
        )
    ticks = range(len(report.labels))
    axes.set_xticks(ticks, report.labels, rotation=45, ha="right")
    axes.set_yticks(ticks, report.labels)
    axes.set(xlabel="predicted", ylabel="right label")
    return figure


def reliability(report: Report) -> Figure:
    """How often the model is right against how sure it is."""
    figure, axes = _axes(4.5, 4.5)
    bins = reliability_bins(report.probabilities.max(axis=1), report.probabilities.argmax(axis=1) == report.gold)
    used = bins[bins[:, 2] > 0]
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="perfectly calibrated")
    axes.plot(used[:, 0], used[:, 1], color=BLUE, marker="o", label="model")
    for mean, hit, count in used:
        axes.annotate(f"{count:.0f}", (mean, hit), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="share right")
    axes.legend(frameon=False)
    return figure


def coverage(report: Report) -> Figure:
    """Error rate of the answered rows against the share that is answered."""
    figure, axes = _axes(5, 3.5)
    curve = risk_coverage(report.probabilities.max(axis=1), report.probabilities.argmax(axis=1) == report.gold)
    axes.plot(curve[:, 0], curve[:, 1], color=BLUE)
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="share answered (most confident first)", ylabel="error rate")
    return figure


def learning_curve(history: Sequence[Mapping[str, float]]) -> Figure:
    """Training loss and dev macro-F1 by epoch."""
    figure, axes = _axes(6, 3.5)
    epochs = [entry["epoch"] for entry in history]
    axes.plot(epochs, [entry["train/loss"] for entry in history], color=GREY, marker=".", label="training loss")
    axes.plot(epochs, [entry["dev/macro_f1"] for entry in history], color=BLUE, marker="o", label="dev macro-F1")
    axes.set(xlabel="epoch", ylim=(0, None))
    axes.legend(frameon=False)
    return figure


def comparison(lines: Sequence[Compared]) -> Figure:
    """Main measure of each system: its runs as rings, their mean as a dot, the interval over test rows as a line."""
    figure, axes = _axes(6.5, 1.2 + 0.4 * len(lines))
    name = next(iter(lines[0].measures))
    for height, line in enumerate(lines[::-1]):
        measured = line.measures[name]
        colour = BLUE if line is lines[0] else GREY
        axes.plot(measured.over_rows, [height, height], color=colour, linewidth=2)
        axes.plot(measured.each, [height] * line.runs, "o", markerfacecolor="none", color=colour, markersize=4)
        axes.plot(measured.mean, height, "o", color=colour, markersize=8)
        axes.text(measured.over_rows[1], height, f"  {measured.mean:.3f}", va="center")
    axes.set_yticks(range(len(lines)), [line.system for line in lines[::-1]])
    axes.set_xlabel(f"{name} (dot: mean; line: 95 % over test rows; ring: one seed)", fontsize=9)
    axes.margins(x=0.12)
    return figure


def few_shot_curves(curves: Mapping[int, Sequence[Compared]]) -> Figure:
    """Main measure of each system against the number of training rows of each label."""
    figure, axes = _axes(6.5, 4)
    counts = sorted(curves)
    name = next(iter(curves[counts[0]][0].measures))
    for system in [line.system for line in curves[counts[0]]]:
        points = [next(line for line in curves[count] if line.system == system).measures[name] for count in counts]
        (drawn,) = axes.plot(counts, [point.mean for point in points], marker="o", label=system)
        intervals = [point.over_seeds or (point.mean, point.mean) for point in points]
        low, high = ([interval[i] for interval in intervals] for i in (0, 1))
        axes.fill_between(counts, low, high, color=drawn.get_color(), alpha=0.12, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set(xlabel="training rows of each label", ylabel=f"{name}, mean and 95 % interval over seeds")
    axes.legend(frameon=False)
    return figure


def throughput(
    rates: Mapping[str, tuple[float, float, float]], what: str = "sentences", plain: str = "transformers"
) -> Figure:
    """Sentences a second of each way, given as median, lowest and highest; grey where its name starts with `plain`."""
    figure, axes = _axes(6.5, 1 + 0.45 * len(rates))
    for height, (name, (median, low, high)) in enumerate(list(rates.items())[::-1]):
        axes.barh(height, median, color=GREY if name.startswith(plain) else BLUE)
        axes.plot([low, high], [height, height], color="black", linewidth=1.5)
        axes.text(high, height, f"  {median:,.0f}", va="center")
    axes.set_yticks(range(len(rates)), list(rates)[::-1])
    axes.set_xlabel(f"{what} a second: median, and range over the rounds as a line", fontsize=9)
    axes.margins(x=0.15)
    return figure


def quality(points: Mapping[str, tuple[float, float]]) -> Figure:
    """Macro-F1 against sentences a second of each way, given as (rate, score); the first is the reference."""
    figure, axes = _axes(7, 4)
    for number, (name, (rate, score)) in enumerate(points.items()):
        axes.plot(rate, score, "o", color=BLUE if number == 0 else GREY)
        axes.annotate(f" {name}", (rate, score), fontsize=7, va="bottom")
    axes.set(xscale="log", xlabel="sentences a second", ylabel="macro-F1")
    axes.margins(x=0.3, y=0.15)
    return figure


def growth(curves: Mapping[str, tuple[str, Sequence[float], Sequence[float]]]) -> Figure:
    """Seconds of each curve, given as (unit, sizes, seconds), against its size, both on logarithmic scales."""
    figure = Figure(figsize=(3.2 * len(curves), 3.2), layout="constrained", dpi=150)
    for number, (name, (unit, sizes, seconds)) in enumerate(curves.items(), 1):
        axes = figure.add_subplot(1, len(curves), number)
        axes.spines[["top", "right"]].set_visible(False)
        axes.plot(sizes, seconds, color=BLUE, marker="o")
        linear = [seconds[0] * size / sizes[0] for size in sizes]
        axes.plot(sizes, linear, color=GREY, linestyle="--", linewidth=1, label="in proportion")
        axes.set(xscale="log", yscale="log", xlabel=unit, ylabel="seconds", title=name)
        axes.legend(frameon=False)
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
