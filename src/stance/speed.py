"""What `scripts/benchmark.py speed` does, from settings to a table of speeds beside the scores of the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stance.core import Example, LabelSet
from stance.cost.growth import measure_growth
from stance.cost.install import install_sizes, install_table
from stance.cost.job import Measure
from stance.cost.part import Part, Say, Spread, in_round, known, median_ratio, shown, spread
from stance.cost.quality import measure_quality
from stance.cost.training import measure_training
from stance.data.prepared import prepare, rows_digest
from stance.data.subsets import sample
from stance.evaluation.metrics import macro_f1_of
from stance.evaluation.plots import throughput
from stance.evaluation.report import markdown_table
from stance.finished import labelled_bundle
from stance.line import resolve_data
from stance.settings import SpeedJob
from stance.timing import (
    PLAIN,
    REFERENCE,
    Timed,
    find_ways,
    has_trained_weights,
    mean_tokens,
    measures_single,
    plain_network,
    product_rate,
    products,
    share_single,
    time_cold,
    time_round,
)

HEADS = ["way", "sentences/s", f"against {REFERENCE}", "of the fp32 limit", "of the bf16 limit", "p50 ms", "p99 ms"]
HEADS += ["macro-F1", "agreement", "first answer s", "memory MB"]


@dataclass(frozen=True)
class Speed:
    """One way to answer: medians with [lowest, highest] over the rounds; None where there is no such figure."""

    way: str
    rate: Spread
    ratio: float
    fp32_share: float
    bf16_share: float
    p50_ms: float
    p99_ms: float
    macro_f1: float | None
    agreement: float | None
    cold_s: Spread
    memory_mb: float | None


def measure_predicting(job: SpeedJob, root: Path, say: Say) -> Part:
    """Measure every way that the bundle offers in alternating rounds.

    Raises:
        StanceError: The bundle or the data can't be used.
    """
    bundle, manifest = labelled_bundle(job.bundle, root, job)
    examples = sample(prepare(resolve_data(job.data, root), job.labels, root=root).splits.test, job.rows)
    say(f"measuring {bundle} on {len(examples):,} sentences")
    timed, limits, notes = _measure(job, bundle, examples, say)
    rows = _rows(timed, examples, manifest.label_set, limits, has_trained_weights(bundle))
    installed = install_sizes()
    numbers = {
        "bundle": str(bundle),
        "data_digest": rows_digest(examples),
        "limits": limits,  # the sentences a second that the bare matrix products would allow
        "install_mb": installed,
        "rows": [asdict(row) for row in rows],
    }
    page = f"{_page(bundle.name, rows, notes)}\n{install_table(installed)}"
    return Part(page, numbers, _metrics(rows, limits, installed), throughput({row.way: row.rate for row in rows}))


PARTS: dict[str, Measure] = {
    "predicting": measure_predicting,
    "quality": measure_quality,
    "training": measure_training,
    "growth": measure_growth,
}


def _measure(
    job: SpeedJob, bundle: Path, examples: Sequence[Example], say: Say
) -> tuple[list[Timed], dict[str, float], list[str]]:
    """Time every way in each round; return what was timed, the limits in sentences/s, and notes for the page."""
    import torch

    network = plain_network(bundle)
    ways, absent = find_ways(bundle, network)
    timed, shapes, best = [Timed(name) for name in ways], products(network), {"fp32": 0.0, "bf16": 0.0}
    for number in range(job.rounds):
        for one in in_round(timed, number):
            say(f"round {number + 1} of {job.rounds}: {one.name}")
            time_round(ways[one.name], one, examples, job.single)
            if number < job.cold and measures_single(one.name):
                time_cold(bundle, one, examples[0].text)
        best = {name: max(rate, product_rate(shapes, name)) for name, rate in best.items()}
    share_single(timed)
    tokens = mean_tokens(bundle, examples)
    work = 2 * tokens * sum(a * b for a, b in shapes)
    notes = [
        f"{len(examples):,} sentences of {tokens:.0f} tokens on average, {job.rounds} alternating rounds "
        f"(median [lowest, highest]), {torch.get_num_threads()} threads"
    ]
    notes += [
        f"Limit {name}: torch's products of the encoder's shapes reach {rate / 1e9:,.0f} GFLOP/s, which would allow "
        f"{rate / work:,.0f} sentences/s without padding"
        for name, rate in best.items()
    ]
    notes += [f"{name} is left out: {reason}" for name, reason in absent.items()]
    return timed, {name: rate / work for name, rate in best.items()}, notes


def _rows(
    timed: Sequence[Timed], examples: Sequence[Example], labels: LabelSet, limits: Mapping[str, float], trained: bool
) -> list[Speed]:
    reference = next(one for one in timed if one.name == REFERENCE)
    gold = labels.indices(examples)
    rows = []
    for one in timed:
        answers = np.array([labels.index(name) for name in one.answers])
        rate = spread(one.rates)
        scored = trained or one.name not in PLAIN
        rows.append(
            Speed(
                way=one.name,
                rate=rate,
                ratio=median_ratio(one.rates, reference.rates),
                fp32_share=rate[0] / limits["fp32"],
                bf16_share=rate[0] / limits["bf16"],
                p50_ms=float(np.percentile(one.latencies, 50)),
                p99_ms=float(np.percentile(one.latencies, 99)),
                macro_f1=macro_f1_of(gold, answers, len(labels)) if scored else None,
                agreement=float(np.mean(np.array(one.answers) == reference.answers)) if trained else None,
                cold_s=spread(one.cold),
                memory_mb=float(np.median(one.memory)) if one.memory else None,
            )
        )
    return rows


def _page(name: str, rows: Sequence[Speed], notes: Sequence[str]) -> str:
    """Return the page: the table, how it was measured, the limits, what is missing and why."""
    notes = [f"Measured on the bundle {name}", *notes]
    if all(row.agreement is None for row in rows):
        notes.append(
            "The bundle has no torch weights: the transformers rows run a fresh network of the same encoder, as "
            "fast but untrained, so that they have no score and nothing to agree with"
        )
    return markdown_table(HEADS, [_cells(row) for row in rows]) + "\n" + "".join(f"- {note}\n" for note in notes)


def _cells(row: Speed) -> list[str]:
    return [
        row.way,
        shown(row.rate, ",.0f"),
        f"{row.ratio:.2f}",
        f"{row.fp32_share:.0%}",
        f"{row.bf16_share:.0%}",
        f"{row.p50_ms:.2f}",
        f"{row.p99_ms:.2f}",
        known(row.macro_f1, ".3f"),
        known(row.agreement, ".2%"),
        shown(row.cold_s, ".2f"),
        known(row.memory_mb, ".0f"),
    ]


def _metrics(rows: Sequence[Speed], limits: Mapping[str, float], installed: Mapping[str, float]) -> dict[str, float]:
    metrics = {f"speed/limit {name}": value for name, value in limits.items()}
    metrics |= {f"speed/install {name} MB": size for name, size in installed.items()}
    for row in rows:
        values = {"sentences_s": row.rate[0], "ratio": row.ratio, "p50_ms": row.p50_ms, "macro_f1": row.macro_f1}
        values |= {"agreement": row.agreement, "cold_s": row.cold_s[0], "memory_mb": row.memory_mb}
        metrics |= {f"speed/{row.way} {key}": value for key, value in values.items() if value is not None}
    return metrics
