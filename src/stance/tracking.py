"""Logs a run to MLflow; with packaging/pyfunc.py the only importer of mlflow."""

import os
import posixpath
import re
import subprocess
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stance.errors import ConfigError, MissingExtraError, ModelError
from stance.paths import CONFIGS
from stance.settings import TrackingSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stance.training.finetuning import OnLog

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}

SHOWN = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "Runs of the scripts; filter by tags.stage = 'train' (evaluate, package, pretrain, "
    "benchmark, speed). To compare: tick two runs of the same data.digest, Compare. "
    "test/macro_f1 is the score to look at first; baselines/ holds what it has to beat; figures/ and report.md are "
    "among the artifacts.",
}
"""How the UI presents the experiment: as model training, with a note on what to look at."""
GIVEN_URI = os.environ.get("MLFLOW_TRACKING_URI")
"""Read once: mlflow writes the URI that it uses back to this variable."""


class Tracker:
    """One MLflow run that is open; with tracking off, every call does nothing."""

    def __init__(self, mlflow: Any, run_id: str | None) -> None:
        self._mlflow, self.run_id = mlflow, run_id

    def settings(self, settings: Any) -> None:
        """Log every setting, flat, as `train.epochs`."""
        if self._mlflow:
            self._mlflow.log_params({allowed(k): v for k, v in flat(settings).items() if v != ""})

    def tags(self, values: Mapping[str, str]) -> None:
        """Log words by which runs are found."""
        if self._mlflow:
            self._mlflow.set_tags(values)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers; with a step they become a curve."""
        if self._mlflow:
            self._mlflow.log_metrics({allowed(k): v for k, v in values.items()}, step=step)

    def logging(self, on_log: "OnLog") -> "OnLog":
        """Return a function that logs the values of a step and passes them on."""

        def log(step: int, total: int, values: Mapping[str, float]) -> None:
            self.metrics(values, step)
            on_log(step, total, values)

        return log

    def figure(self, figure: "Figure", name: str) -> None:
        """Log a picture as figures/NAME.png."""
        if self._mlflow:
            self._mlflow.log_figure(figure, f"figures/{name}.png")

    def text(self, text: str, name: str) -> None:
        """Log a text file."""
        if self._mlflow:
            self._mlflow.log_text(text, name)

    def table(self, rows: Sequence[Mapping[str, object]], name: str) -> None:
        """Log rows as a table that the UI can show and compare across runs."""
        if self._mlflow and rows:
            columns = {key: [row[key] for row in rows] for key in rows[0]}
            self._mlflow.log_table(columns, f"tables/{name}.json")

    def dataset(self, name: str, part: str, digest: str, source: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Log a data set as an input of the run, with our digest over all of its rows."""
        if self._mlflow:
            import pandas

            with warnings.catch_warnings(action="ignore"):
                frame = pandas.DataFrame(rows)
                data = self._mlflow.data.from_pandas(frame, source=source, name=f"{name}-{part}", digest=digest[:32])
            self._mlflow.log_input(data, context=part)


@contextmanager
def start_run(
    settings: TrackingSettings, root: Path, name: str, run_id: str | None = None, *, nested: bool = False
) -> Iterator[Tracker]:
    """Open a run, or go on with `run_id`; it ends FINISHED, FAILED or (Ctrl-C) KILLED.

    Args:
        settings: Where to log; with enabled false nothing is.
        root: The project's folder.
        name: What the UI shows for the run.
        run_id: A run to continue.
        nested: Whether the run is a child of the one that is open.
    """
    if not settings.enabled:
        yield Tracker(None, None)
        return
    mlflow = open_store(settings, root)
    status = "FAILED"
    try:
        mlflow.set_experiment(experiment_id=_experiment(mlflow, settings, root))
        run = mlflow.start_run(
            run_id=run_id, run_name=None if run_id else name, nested=nested, log_system_metrics=False
        )
        if "error" in run.data.tags:
            mlflow.delete_tag("error")
        yield Tracker(mlflow, mlflow.active_run().info.run_id)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    except mlflow.exceptions.MlflowException as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"tracking: MLflow says: {reason} Mend the store, or log elsewhere with tracking.experiment=NAME, "
            "or not at all with tracking=off"
        ) from error
    except Exception as error:
        mlflow.set_tag("error", str(error)[:500])
        raise
    finally:
        mlflow.end_run(status)


def open_store(settings: TrackingSettings, root: Path) -> Any:
    """Point mlflow at the store and return the module.

    $MLFLOW_TRACKING_URI wins over the settings.

    Raises:
        MissingExtraError: mlflow is not installed.
    """
    os.environ.update({key: value for key, value in QUIET.items() if key not in os.environ})
    try:
        import mlflow
    except ImportError as error:
        raise MissingExtraError("mlflow", "train") from error
    import logging

    logging.getLogger("alembic").setLevel(logging.ERROR)
    if not GIVEN_URI:
        folder = (root / settings.store).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(_store_uri(folder))
    return mlflow


def configured() -> TrackingSettings:
    """Return what configs/tracking/mlflow.yaml says, for code that runs no script and may lack Hydra.

    Raises:
        MissingExtraError: mlflow, with which yaml comes, is not installed.
    """
    try:
        from yaml import safe_load
    except ImportError as error:
        raise MissingExtraError("mlflow", "train") from error
    return TrackingSettings(**safe_load((CONFIGS / "tracking" / "mlflow.yaml").read_text("utf-8")))


def download_model(uri: str, settings: TrackingSettings, root: Path) -> Path:
    """Fetch the bundle inside a registered or logged model, such as models:/stance@champion.

    Raises:
        ModelError: The registry has no such model.
    """
    mlflow = open_store(settings, root)
    try:
        folder = Path(mlflow.artifacts.download_artifacts(uri))
    except Exception as error:
        raise ModelError(
            f"{uri}: not found in the model registry ({error}). Register one with scripts/package.py"
        ) from error
    found = sorted(folder.rglob("manifest.json"))
    if not found:
        raise ModelError(f"{uri}: holds no stance bundle. Register one with scripts/package.py")
    return found[0].parent


def source_tags(root: Path) -> dict[str, str]:
    """Return the git commit of the project, and whether files differed from it."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        return {"git.commit": head, "git.changed": str(bool(_git(root, "status", "--porcelain"))).lower()}
    except (OSError, subprocess.CalledProcessError):
        return {"git.commit": "unknown"}


def allowed(name: str) -> str:
    """Return `name` with what MLflow forbids in names replaced by underscores, such as the slashes of an address."""
    cleaned = re.sub(r"[^\w./: -]", "_", name)
    plain = posixpath.normpath(cleaned) == cleaned and not cleaned.startswith(("/", "."))
    return cleaned if plain else cleaned.replace("/", "_").lstrip(".")


def flat(settings: Any, prefix: str = "") -> dict[str, str]:
    """Flatten nested settings to dotted names and text values."""
    values = asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else settings
    if not isinstance(values, Mapping):
        return {prefix: ", ".join(map(str, values)) if isinstance(values, list) else str(values)}
    found: dict[str, str] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _experiment(mlflow: Any, settings: TrackingSettings, root: Path) -> str:
    """Return the experiment's id; a new one keeps its artifacts beside the store."""
    existing = mlflow.get_experiment_by_name(settings.experiment)
    if existing:
        return str(existing.experiment_id)
    folder = (root / settings.store).resolve()
    location = None if GIVEN_URI else (folder / "artifacts").as_uri()
    return str(mlflow.create_experiment(settings.experiment, artifact_location=location, tags=SHOWN))


def _store_uri(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
