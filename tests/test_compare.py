"""Intervals and tests say what is known of the systems that they compare."""

import numpy as np
import pytest

from stance.core import Example, LabelSet
from stance.evaluation.compare import Compared, Runs, compare, paired_test, seed_interval
from stance.evaluation.measures import measure_all, measure_resampled
from stance.evaluation.metrics import group_weights
from stance.evaluation.tables import escape, footnotes, to_latex, to_markdown
from stance.settings import MeasureSettings

LABELS = LabelSet(("pro", "con"))
MEASURES = {
    name: MeasureSettings(kind=kind, labels=[], by=by, value=None, merge={})
    for name, kind, by in (("accuracy", "accuracy", None), ("by_target", "macro_f1", "target"))
}
ROWS = [Example(f"Row {i}.", f"target {i % 3}", label=LABELS.names[i % 2]) for i in range(120)]
GOLD = LABELS.indices(ROWS)


def wrong_in(share: float, seed: int) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(len(GOLD)) < share, 1 - GOLD, GOLD)


def runs(share: float, *seeds: int) -> Runs:
    return Runs(np.stack([wrong_in(share, seed) for seed in seeds]), 1.5)


def lines(**systems: Runs) -> list[Compared]:
    return compare(systems, ROWS, LABELS, MEASURES, 300)


def test_compare_means_are_those_of_the_measures() -> None:
    (line,) = lines(model=runs(0.2, 1, 2, 3))
    each = [measure_all(MEASURES, ROWS, LABELS, wrong_in(0.2, seed)) for seed in (1, 2, 3)]
    for name, measured in line.measures.items():
        assert measured.each == pytest.approx([one[name] for one in each])
        assert measured.mean == pytest.approx(np.mean(measured.each))
        assert measured.over_rows[0] < measured.mean < measured.over_rows[1]
    assert (line.runs, line.seconds, line.lead) == (3, 1.5, None)


def test_compare_identical_systems_do_not_differ() -> None:
    lead = lines(model=runs(0.2, 1, 2), other=runs(0.2, 1, 2))[1].lead
    assert lead is not None and lead.value == 0 and lead.p == 1 and lead.low <= 0 <= lead.high


def test_compare_a_clearly_better_system_has_a_small_p() -> None:
    lead = lines(model=runs(0.05, 1, 2, 3), other=runs(0.5, 4, 5, 6))[1].lead
    assert lead is not None and lead.p == pytest.approx(1 / 301) and 0.3 < lead.low < lead.value < lead.high


def test_compare_a_worse_system_leads_by_less_than_nothing() -> None:
    lead = lines(model=runs(0.5, 1), other=runs(0.05, 2))[1].lead
    assert lead is not None and lead.high < 0 and lead.p < 0.01


def test_compare_seeds_that_swing_make_the_test_unsure() -> None:
    steady = lines(model=runs(0.15, 1, 2), other=runs(0.25, 3, 4))[1].lead
    swinging = Runs(np.stack([wrong_in(0.0, 1), wrong_in(0.3, 2)]), 1.0)
    unsure = lines(model=swinging, other=runs(0.25, 3, 4))[1].lead
    assert steady is not None and unsure is not None
    assert unsure.high - unsure.low > 1.5 * (steady.high - steady.low) and unsure.p > 0.05


def test_compare_p_is_seldom_small_when_nothing_differs() -> None:
    rng = np.random.default_rng(5)
    small = 0
    for _ in range(200):
        one, other = rng.normal(0.7, 0.02, 5), rng.normal(0.7, 0.02, 5)
        drawn = rng.normal(0, 0.01, (300, 1))
        small += paired_test(one, one + drawn, other, other + drawn).p < 0.05
    assert small / 200 < 0.12


def test_compare_seed_interval_is_students() -> None:
    interval = seed_interval(np.array([0.4, 0.5, 0.6]))
    assert interval == pytest.approx((0.5 - 4.3027 * 0.1 / 3**0.5, 0.5 + 4.3027 * 0.1 / 3**0.5), abs=1e-4)
    assert seed_interval(np.array([0.5])) is None
    assert seed_interval(np.array([0.1, 0.9])) == (0, 1), "no measure lies outside 0 to 1"


def test_compare_resampled_measures_equal_those_of_repeated_rows() -> None:
    weights = group_weights(list(range(len(ROWS))), 4)
    predicted = wrong_in(0.3, 1)
    found = measure_resampled(MEASURES, ROWS, LABELS, predicted, weights)
    for index, weight in enumerate(weights.astype(int)):
        rows = [row for row, count in zip(ROWS, weight, strict=True) for _ in range(count)]
        expected = measure_all(MEASURES, rows, LABELS, np.repeat(predicted, weight))
        assert {name: values[index] for name, values in found.items()} == pytest.approx(expected)


def test_tables_hold_every_system_measure_and_reason() -> None:
    compared = lines(model=runs(0.1, 1, 2), majority=runs(0.5, 3))
    table = to_markdown(compared, {"setfit": "not installed"})
    assert "| system | runs | accuracy on dev | accuracy | by_target | lead in accuracy | p | seconds a run |" in table
    assert f"| model | 2 |  | {compared[0].measures['accuracy']} |" in table
    assert "| majority | 1 |" in table and f"| {compared[1].lead} | 0.0033 |" in table
    assert "| setfit | 0 | not installed |" in table


def test_tables_latex_escapes_what_it_would_read_as_commands() -> None:
    assert escape(r"50% a_b & {x} #1 $ ~ ^ \ >") == (
        r"50\% a\_b \& \{x\} \#1 \$ \textasciitilde{} \textasciicircum{} \textbackslash{} \textgreater{}"
    )
    table = to_latex(lines(**{"a_b": runs(0.1, 1)}), {}, "100% of_it")
    assert r"\caption{100\% of\_it}" in table and r"a\_b & 1 &" in table and r"by\_target" in table
    assert table.count(r"\\") == 2 and r"\begin{tabular}{lrrrrrrr}" in table


@pytest.mark.parametrize(("seeds", "said"), [((1,), "One seed:"), ((1, 2), "2 seeds tell"), (range(10), None)])
def test_tables_footnotes_are_honest_about_few_seeds(seeds: tuple[int, ...], said: str | None) -> None:
    notes = footnotes(lines(model=runs(0.1, *seeds)), "accuracy", 300)
    assert (said in notes) if said else ("seeds tell" not in notes and "One seed" not in notes)
