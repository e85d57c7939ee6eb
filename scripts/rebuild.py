"""Put the shipped labels of UN General Debate sentences back on the sentences of the corpus."""

import sys

from stance.config import ROOT, run
from stance.settings import RebuildJob


def main(job: RebuildJob) -> None:
    """Rebuild and print how many rows were found."""
    from pathlib import Path

    from stance.data.ungd import download, rebuild

    corpus = download(job.url, ROOT / "data/processed/ungd-corpus") if job.download else Path(job.corpus or "")
    found, missing = rebuild(ROOT / job.labels, corpus.resolve(), ROOT / job.output)
    sys.stdout.write(f"{found:,} rows written to {job.output}; the sentences of {missing:,} rows were not found\n")


if __name__ == "__main__":
    run("rebuild", main)
