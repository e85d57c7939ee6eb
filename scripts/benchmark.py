"""Train over several seeds beside baselines and write one table; or, with `speed` as first word, measure speed."""

import shlex
import sys

from stance.config import run
from stance.paths import ROOT
from stance.settings import BenchmarkJob, SpeedJob

COMMAND = shlex.join(["python", "scripts/benchmark.py", *sys.argv[1:]])


def main(job: BenchmarkJob) -> None:
    """Run the benchmark and print its page."""
    from stance.benchmark.job import run_benchmark
    from stance.terminal import TrainingBar

    bar = TrainingBar()
    done = run_benchmark(job, ROOT, say=bar.say, on_log=bar.on_log, command=COMMAND)
    bar.close()
    sys.stdout.write(f"\n{done.page}\nTables, figures and predictions: {done.folder}\n")
    if done.run_id:
        sys.stdout.write(f"MLflow run {done.run_id}; look at it with: make ui\n")


def speed(job: SpeedJob) -> None:
    """Measure each part that is asked for, and print its page."""
    from stance.cost.job import run_part
    from stance.speed import PARTS

    for name in job.parts:
        done = run_part(name, PARTS[name], job, ROOT, say=lambda line: sys.stderr.write(f"{line}\n"), command=COMMAND)
        sys.stdout.write(f"{done.page}\nTable, figure and numbers: {done.folder}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["speed"]:
        del sys.argv[1]
        run("speed", speed)
    else:
        run("benchmark", main)
