"""What a training shows in the terminal: a progress bar, and lines that do not break it. Knows no training."""

import os
import sys
from collections.abc import Mapping


class TrainingBar:
    """A bar on stderr while a training runs, and lines on stdout, written at once."""

    def __init__(self) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        from tqdm import tqdm
        from transformers.utils import logging

        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self._bar = tqdm(unit=" steps", desc="training", file=sys.stderr, disable=None, leave=False)
        self._tenths = 0

    def say(self, line: str) -> None:
        """Write one line."""
        self._bar.clear()
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def on_log(self, step: int, total: int, values: Mapping[str, float]) -> None:
        """Move the bar; at the end of an epoch write its loss and dev scores (dev_sets/NAME: of each set).

        Where no bar can be drawn, as in a log file, each tenth of the way is a line.
        """
        self._bar.total = total
        self._bar.update(step - self._bar.n)
        tenths = 10 * step // total
        if self._bar.disable and tenths != self._tenths:
            self._tenths = tenths  # 0 again where the next training begins
            if step:
                self.say(f"  step {step:,} of {total:,}")
        if "dev/macro_f1" in values:
            each = ", ".join(f"{k.split('/')[1]} {v:.3f}" for k, v in values.items() if k.startswith("dev_sets/"))
            self.say(
                f"  epoch {values['epoch']:.0f}: loss {values['train/loss']:.3f}, "
                f"dev macro-F1 {values['dev/macro_f1']:.3f}{each and f' ({each})'}"
            )

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()
