"""Prepare a data set: read, check, split, write to data/processed/NAME."""

import sys

from stance.config import run
from stance.paths import ROOT
from stance.settings import PrepareJob


def main(job: PrepareJob) -> None:
    """Prepare and print the report."""
    from stance.line import run_prepare

    prepared = run_prepare(job, ROOT)
    state = "unchanged, reused" if prepared.reused else "prepared"
    sys.stdout.write(f"{prepared.report}\n{state}: {prepared.path}\n")


if __name__ == "__main__":
    run("prepare", main)
