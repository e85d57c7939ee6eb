"""Export a bundle to ONNX and int8, compare them with the trained weights, and register the bundle."""

import sys

from stance.config import run
from stance.paths import ROOT
from stance.settings import PackageJob


def main(job: PackageJob) -> None:
    """Package and print the comparison."""
    from stance.finished import run_package
    from stance.inference.backends import WEIGHTS

    path, parity, uri = run_package(job, ROOT)
    for backend, compared in parity.items():
        kept = "kept" if (path / WEIGHTS[backend]).exists() else "not kept: it failed the gate"
        sys.stdout.write(
            f"  {backend:<10} agreement {compared.agreement:.4f}, macro-F1 lost {compared.f1_loss:+.4f}, "
            f"largest difference of a logit {compared.difference:.2g}; {kept}\n"
        )
    sys.stdout.write(f"Bundle: {path}\n")
    if uri:
        sys.stdout.write(f'Registered; use it with: load("models:/{job.tracking.registered_model}@{job.alias}")\n')


if __name__ == "__main__":
    run("package", main)
