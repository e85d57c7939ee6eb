"""The checks find duplicates, contradictions, leaks and imbalance."""

import json
import random
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.config import compose_settings
from stance.core import Example, LabelSet
from stance.data.checks import DataReport, check_examples, contradictions, leaks
from stance.data.duplicates import near_duplicates, overlap, shingles
from stance.data.splits import Splits
from stance.settings import DataSettings, PrepareJob

LABELS = LabelSet(("accept", "refuse", "none"))
SETTINGS: DataSettings = replace(compose_settings("prepare", [], PrepareJob).data, rare_label=1)
A = Example("Kenya joins the force.", "the force", "Kenya", "accept")
B = Example("Peru declines to join the force.", "the force", "Peru", "refuse")
C = Example("Chile met Ghana in the capital.", "the force", "Chile", "none")
LONG = "the cabinet of the republic will not send any soldiers to the joint force this year"


def check(*parts: list[Example], settings: DataSettings = SETTINGS) -> DataReport:
    return check_examples(Splits(*parts), LABELS, settings, [])


def test_checks_clean_data_has_no_errors_and_counts_rows() -> None:
    report = check([A, B, C], [], [])
    assert (report.rows, report.texts, report.exact_duplicates, report.errors) == (3, 3, 0, [])
    assert report.balance["train"] == {"accept": 1, "refuse": 1, "none": 1}


def test_checks_one_label_alone_teaches_nothing() -> None:
    assert "every training row is labelled 'accept'" in check([A, replace(A, text="Togo joins.")], [B], [C]).errors[0]


@pytest.mark.parametrize("twin", [A, replace(A, text="KENYA  joins the force."), replace(A, id="2")])
def test_checks_count_repeated_rows_whatever_their_case_and_space(twin: Example) -> None:
    report = check([A, twin, B], [], [])
    assert report.exact_duplicates == 1
    assert any("1 rows repeat" in warning for warning in report.warnings)


def test_checks_name_targets_that_the_parts_do_not_share() -> None:
    tea, chess, skiing = (replace(A, target=name, text=f"About {name}.") for name in ("tea", "chess", "skiing"))
    (found,) = [w for w in check([tea, chess], [tea, chess], [tea, chess, skiing]).warnings if "rows are about" in w]
    assert found == "1 test rows are about targets that no train row is about: skiing"
    (found,) = [
        w for w in check([tea, chess, skiing], [], [tea, chess]).warnings if "no test row" in w and "is about" in w
    ]
    assert found == "no test row is about skiing, as train rows are"


def test_checks_name_contradictions() -> None:
    (found,) = contradictions([A, B, replace(A, label="refuse")])
    assert "two labels (accept, refuse)" in found and A.text in found and "'Kenya'" in found


@pytest.mark.parametrize("other", [replace(A, holder="Peru", label="refuse"), replace(A, target="x", label="none")])
def test_checks_other_questions_about_one_text_contradict_nothing(other: Example) -> None:
    assert contradictions([A, other]) == []


@pytest.mark.parametrize(("key", "other"), [("on_leak", B), ("on_contradiction", replace(A, label="refuse"))])
@pytest.mark.parametrize("level", ["error", "warn"])
def test_checks_severity_follows_the_settings(key: str, other: Example, level: str) -> None:
    parts = ([A, other], [], []) if key == "on_contradiction" else ([A, other], [replace(B, holder="x")], [])
    report = check(*parts, settings=replace(SETTINGS, **{key: level}))
    assert len(report.errors) == (level == "error")
    assert any("two labels" in w or "the same text" in w for w in report.warnings) == (level == "warn")


@pytest.mark.parametrize(
    ("one", "other"),
    [(A, replace(A, holder="x")), (A, replace(A, text=A.text.upper())), (replace(A, group="g"), replace(B, group="g"))],
)
def test_checks_a_text_or_group_on_two_sides_is_a_leak(one: Example, other: Example) -> None:
    (found,) = leaks(Splits([one], [C], [other]), [])
    assert "test and train" in found
    assert leaks(Splits([one, other], [C], []), []) == []


def test_checks_count_what_an_earlier_part_holds_too_once_each() -> None:
    near, far = Example(LONG, "x", "y", "none"), Example(LONG + " at least", "x", "y", "none")
    parts = [A, near], [replace(A, label="refuse"), B], [replace(B, text="PERU declines to join the  force."), far]
    parts[2].extend([replace(A, holder="Peru"), C])
    report = check_examples(Splits(*parts), LABELS, SETTINGS, [(near, far)])
    assert report.across == {
        "dev": {"the same text, holder and target": 1},
        "test": {
            "the same text, holder and target": 1,
            "the same text, another holder or target": 1,
            "a near-duplicate text": 1,
        },
    }
    assert "of the dev rows, in an earlier part too: 1 with the same text, holder and target\n" in str(report)
    assert "in an earlier part too" not in str(check([A], [B], [C]))


def test_checks_near_duplicates_on_two_sides_are_a_leak() -> None:
    (found,) = leaks(Splits([A], [B], [C]), [(A, C)])
    assert "near duplicates in train and test" in found


def test_checks_near_duplicates_are_found_and_others_not() -> None:
    texts = [LONG, LONG + " at least", "nothing like it at all in these few words", LONG]
    assert near_duplicates([Example(t) for t in texts], 0.8) == [(0, 1)]
    assert near_duplicates([Example(t) for t in texts], 0.95) == []


def test_checks_near_duplicates_are_among_those_that_comparing_all_pairs_finds() -> None:
    rng = random.Random(0)
    words = [f"word{number}" for number in range(30)]
    texts = [" ".join(rng.choices(words, k=20)) for _ in range(40)]
    texts += [text.replace(text.split()[-1], "end") for text in texts] + texts[:5]
    rng.shuffle(texts)
    sets = [shingles(text) for text in texts]
    expected = [
        (a, b)
        for a, b in combinations(range(len(texts)), 2)
        if texts[a] != texts[b] and len(sets[a] & sets[b]) >= 0.8 * len(sets[a] | sets[b])
    ]
    found = near_duplicates([Example(text) for text in texts], 0.8)
    assert all(a < b and texts.index(texts[a]) == a and texts.index(texts[b]) == b for a, b in found)
    named = {frozenset((texts[a], texts[b])) for a, b in expected}
    mine = {frozenset((texts[a], texts[b])) for a, b in found}
    assert mine <= named and len(mine) > 0.8 * len(named) > 10, "hashing may miss one just above the threshold"


def test_checks_overlap_counts_near_duplicates_whichever_comes_first() -> None:
    rows = [Example(LONG, label="a"), Example(LONG + " at least", label="a"), Example("short and other", label="a")]
    for train, test in ((rows[0], rows[1]), (rows[1], rows[0])):
        found = overlap(Splits([train], [rows[2]], [test]), 0.8)
        assert found["a near-duplicate text"] == [0]


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=12))
def test_checks_shingles_are_runs_of_three_words(words: list[str]) -> None:
    runs = shingles(" ".join(words))
    assert all(len(run.split()) == min(3, len(words)) for run in runs)
    assert len(runs) <= max(1, len(words) - 2)


def test_checks_warn_of_rare_missing_and_blank() -> None:
    parts = [replace(A, holder=None), replace(B, holder=None)], [replace(C, text="x")], [C]
    warnings = check(*parts, settings=replace(SETTINGS, rare_label=2)).warnings
    assert "label 'accept' is rare: 1 rows, fewer than 2" in warnings
    assert "no row is labelled 'none' in train" in warnings
    assert not any("'none' is rare" in w or "have no target" in w or "have no holder" in w for w in warnings)
    assert "3 of 4 rows have no holder" in check([*parts[0], replace(parts[1][0], holder=None)], [], [C]).warnings


def test_checks_warn_of_ids_that_several_rows_share() -> None:
    rows = [replace(A, id="7"), replace(B, id="7"), replace(C, id="8")]
    assert "1 ids stand for several rows each, such as '7'" in check(rows, [], []).warnings
    assert not any("ids stand" in warning for warning in check([A, B, C], [], []).warnings)


def test_checks_report_reads_as_text_and_json() -> None:
    report = check([A, B], [replace(A, holder="x")], [C])
    assert json.loads(report.to_json())["errors"] == report.errors != []
    assert f"error: {report.errors[0]}" in str(report) and "refuse" in str(report)
