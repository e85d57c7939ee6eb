"""Train over several seeds beside baselines and write one table; or, with `speed` as first word, measure speed."""

import os
import shlex
import sys
from collections.abc import Mapping

from stance.config import run
from stance.paths import ROOT
from stance.settings import BenchmarkJob

COMMAND = "python scripts/benchmark.py " + shlex.join(sys.argv[1:])


def main(job: BenchmarkJob) -> None:
    """Run the benchmark and print its page."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from tqdm import tqdm
    from transformers.utils import logging

    from stance.benchmark.job import run_benchmark

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    bar = tqdm(unit=" steps", desc="training", file=sys.stderr, disable=None, leave=False)

    def on_log(step: int, total: int, values: Mapping[str, float]) -> None:
        bar.total = total
        bar.update(step - bar.n)

    def say(line: str) -> None:
        bar.clear()
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    done = run_benchmark(job, ROOT, say=say, on_log=on_log, command=COMMAND)
    bar.close()
    sys.stdout.write(f"\n{done.page}\nTables, figures and predictions: {done.folder}\n")
    if done.run_id:
        sys.stdout.write(f"MLflow run {done.run_id}; look at it with: make ui\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["speed"]:
        del sys.argv[1]
        from stance.speed import main as speed

        run("speed", speed)
    else:
        run("benchmark", main)
