import pytest

from stance.terminal import TrainingBar


def test_terminal_writes_epochs_and_lines_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    bar = TrainingBar()
    bar.say("preparing")
    bar.on_log(10, 20, {"train/loss": 1.0})
    bar.on_log(11, 20, {"train/loss": 1.0})
    bar.on_log(20, 20, {"epoch": 1.0, "train/loss": 0.5, "dev/macro_f1": 0.75})
    bar.on_log(20, 20, {"epoch": 2.0, "train/loss": 0.25, "dev/macro_f1": 0.8, "dev_sets/circa": 0.9})
    bar.on_log(0, 20, {"train/loss": 1.0})
    bar.on_log(2, 20, {"train/loss": 1.0})
    bar.close()
    assert capsys.readouterr().out.splitlines() == [
        "preparing",
        "  step 10 of 20",
        "  step 20 of 20",
        "  epoch 1: loss 0.500, dev macro-F1 0.750",
        "  epoch 2: loss 0.250, dev macro-F1 0.800 (circa 0.900)",
        "  step 2 of 20",
    ], "the second training starts anew"
