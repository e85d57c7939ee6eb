"""Intermediate training: teach the encoder related tasks before it is fine-tuned on stance."""

import sys
from collections.abc import Mapping

from stance.config import ROOT, run
from stance.settings import PretrainJob


def main(job: PretrainJob) -> None:
    """Train and say where the encoder lies."""
    from stance.intermediate import run_pretrain

    def on_log(step: int, total: int, values: Mapping[str, float]) -> None:
        if "dev/macro_f1" in values:
            sys.stdout.write(f"  epoch {values['epoch']:.0f} of {step / total:.0%}: dev {values['dev/macro_f1']:.3f}\n")

    path, _ = run_pretrain(job, ROOT, say=lambda line: sys.stdout.write(f"{line}\n"), on_log=on_log)
    sys.stdout.write(f"Encoder: {path}\nUse it with: python scripts/train.py model.encoder={path}\n")


if __name__ == "__main__":
    run("pretrain", main)
