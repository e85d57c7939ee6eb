"""Intermediate training: teach one encoder several related data sets before it is fine-tuned on the goal."""

import os
import sys
from collections.abc import Mapping

from stance.config import run
from stance.paths import ROOT
from stance.settings import PretrainJob


def main(job: PretrainJob) -> None:
    """Train, and say what was learned and how to use it."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    from tqdm import tqdm
    from transformers.utils import logging

    from stance.pretraining import run_pretrain

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    bar = tqdm(unit=" steps", desc="training", file=sys.stderr, disable=None, leave=False)

    def on_log(step: int, total: int, values: Mapping[str, float]) -> None:
        bar.total = total
        bar.update(step - bar.n)
        if "dev/macro_f1" in values:
            each = ", ".join(f"{k.split('/')[1]} {v:.3f}" for k, v in values.items() if k.startswith("dev_sets/"))
            sys.stdout.write(
                f"  epoch {values['epoch']:.0f}: loss {values['train/loss']:.3f}, "
                f"dev macro-F1 {values['dev/macro_f1']:.3f} ({each})\n"
            )

    done = run_pretrain(job, ROOT, say=lambda line: sys.stdout.write(f"{line}\n"), on_log=on_log)
    bar.close()
    folder = f"models/{job.output}"
    use = f"python scripts/train.py model.encoder={folder}"
    if job.objective == "hypotheses":
        use = f'predict("...", target="...", labels={{"favor": "is for the target", ...}}, model="{folder}")'
    sys.stdout.write(f"\n{done.table}\nTrained in {done.seconds:.0f} s: {done.path}\nUse it with: {use}\n")


if __name__ == "__main__":
    run("pretrain", main)
