"""Evaluate a bundle on labelled data and write a report with figures."""

import sys

from stance.config import run
from stance.paths import ROOT
from stance.settings import EvaluateJob


def main(job: EvaluateJob) -> None:
    """Evaluate and print the scores."""
    from stance.finished import run_evaluate

    report, folder = run_evaluate(job, ROOT, say=lambda line: sys.stderr.write(f"{line}\n"))
    sys.stdout.write(f"{len(report.examples):,} rows\n")
    for name, score in report.scores.items():
        sys.stdout.write(f"  {name:<24}{score}\n")
    sys.stdout.write(f"Report and figures: {folder}\n")


if __name__ == "__main__":
    run("evaluate", main)
