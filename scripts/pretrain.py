"""Intermediate training: teach one encoder several related data sets before it is fine-tuned on the goal."""

import sys

from stance.config import run
from stance.paths import ROOT
from stance.settings import PretrainJob


def main(job: PretrainJob) -> None:
    """Train, and say what was learned and how to use it."""
    from stance.pretraining import run_pretrain
    from stance.terminal import TrainingBar

    bar = TrainingBar()
    done = run_pretrain(job, ROOT, say=bar.say, on_log=bar.on_log)
    bar.close()
    folder = f"models/{job.output}"
    use = f"python scripts/train.py model.encoder={folder}"
    if job.objective == "hypotheses":
        use = f'predict("...", target="...", labels={{"favor": "is for the target", ...}}, model="{folder}")'
    sys.stdout.write(f"\n{done.table}\nTrained in {done.seconds:.0f} s: {done.path}\nUse it with: {use}\n")


if __name__ == "__main__":
    run("pretrain", main)
