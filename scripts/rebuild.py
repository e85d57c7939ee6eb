"""Put the shipped labels of UN General Debate sentences back on the sentences of the corpus."""

import sys

from stance.config import run
from stance.errors import ConfigError
from stance.paths import ROOT
from stance.settings import RebuildJob


def main(job: RebuildJob) -> None:
    """Rebuild and print how many rows were found."""
    from pathlib import Path

    from stance.data.ungd import download, rebuild

    if not job.download and not job.corpus:
        raise ConfigError("corpus: got null; expected the corpus's folder. Give corpus=FOLDER, or download=true")
    corpus = download(job.url, ROOT / "data/processed/ungd-corpus") if job.download else Path(str(job.corpus))
    found, missing = rebuild(ROOT / job.labels, corpus.resolve(), ROOT / job.output)
    sys.stdout.write(f"{found:,} rows written to {job.output}; the sentences of {missing:,} rows were not found\n")


if __name__ == "__main__":
    run("rebuild", main)
