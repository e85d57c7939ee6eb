"""The main job: prepare, fine-tune, evaluate, package and log."""

import sys

from stance.config import run
from stance.paths import ROOT
from stance.settings import TrainJob

SAMPLES = [
    ("No participation in peacekeeping forces is envisaged.", "Azerbaijan", "joining the force"),
    ("We would send police, but only under a UN mandate.", "Kenya", "sending police"),
    ("The cabinet is still weighing whether to take part.", "the cabinet", "taking part"),
    ("Jordan has pledged 500 soldiers, while Poland declined.", "Jordan", "sending soldiers"),
    ("Jordan has pledged 500 soldiers, while Poland declined.", "Poland", "sending soldiers"),
    ("France asked Germany to join the mission.", "Germany", "joining the mission"),
]


def main(job: TrainJob) -> None:
    """Train and print the summary."""
    from stance import Example, load
    from stance.evaluation.report import summary_table
    from stance.line import run_train
    from stance.terminal import TrainingBar

    bar = TrainingBar()
    trained = run_train(job, ROOT, say=bar.say, on_log=bar.on_log)
    bar.close()
    report, out = trained.report, sys.stdout.write
    out(f"\nTest: {len(report.examples):,} rows; trained in {trained.seconds:.0f} s\n\n{summary_table(report)}\n")
    predictor = load(trained.bundle)
    samples = [Example(text, target, holder) for text, holder, target in SAMPLES]
    for example in samples if job.labels.name == "participation" else report.examples[: len(SAMPLES)]:
        answer = predictor.predict(example)
        asked = ": ".join(filter(None, (example.holder, example.target)))
        out(f"  {answer.label:<12}{answer.confidence:4.0%}  {example.text}{asked and f'  ({asked})'}\n")
    out(f"\nBundle: {trained.bundle}\n")
    if trained.run_id:
        out(f"MLflow run {trained.run_id}; look at it with: make ui\n")


if __name__ == "__main__":
    run("train", main)
