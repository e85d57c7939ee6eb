"""The one Hydra door: composes configs/, checks every value, runs a script. No DictConfig leaves it."""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from stance.config_words import explain, help_page
from stance.errors import ConfigError, StanceError, os_sentence, summarise
from stance.paths import CONFIGS
from stance.settings import (
    BenchmarkJob,
    EvaluateJob,
    PackageJob,
    PrepareJob,
    PretrainJob,
    RebuildJob,
    SpeedJob,
    TrainJob,
    problems,
)

Job = TypeVar("Job")
HYDRA_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError)
OPEN = ("labels.names", "labels.aliases", "data.measures", "data.files", "data.leave_out", "data.source.urls")
"""Settings whose keys the user chooses: an override replaces them whole, where Hydra would only mend known keys."""
GOES_ON = {
    "train": "; the same command with train.resume=true goes on at the last checkpoint",
    "pretrain": "; the same command with train.resume=true goes on at the last checkpoint",
    "benchmark": "; the same command goes on with what is not done yet",
}
"""What to do after an interruption, by script."""
JOBS: dict[str, type] = {
    "prepare": PrepareJob,
    "pretrain": PretrainJob,
    "train": TrainJob,
    "evaluate": EvaluateJob,
    "package": PackageJob,
    "rebuild": RebuildJob,
    "benchmark": BenchmarkJob,
    "speed": SpeedJob,
}


def register_settings() -> None:
    """Make the settings known to Hydra as `schema_NAME`, which the entry configs start from."""
    for name, job in JOBS.items():
        ConfigStore.instance().store(name=f"schema_{name}", node=job)


def load_settings(config: DictConfig, job: type[Job]) -> Job:
    """Turn a composed config into typed settings.

    Raises:
        ConfigError: Unknown keys, wrong types, missing or out-of-range values; all at once.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True)
        merged = OmegaConf.merge(OmegaConf.structured(job), plain)
        settings = cast(Job, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise ConfigError(_sentence(error)) from error
    found = list(problems(settings))
    if found:
        raise ConfigError(summarise(found))
    return settings


def compose_settings(name: str, overrides: list[str], job: type[Job]) -> Job:
    """Compose configs/NAME.yaml with `overrides` and return typed settings.

    Raises:
        ConfigError: As load_settings, and for an override that names no setting.
    """
    register_settings()
    try:
        return load_settings(_composed(name, overrides), job)
    except HYDRA_ERRORS as error:
        each = [found for override in overrides if (found := _fault(name, override))]
        raise ConfigError(summarise(each or [_sentence(error)])) from error


def _composed(name: str, overrides: list[str]) -> DictConfig:
    kept, taken = _take_open(overrides)
    outer = GlobalHydra.instance().hydra  # of the script that runs, if one does
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            composed: DictConfig = compose(name, kept)
    finally:
        GlobalHydra.instance().hydra = outer
    return _with_open(composed, taken)


def _take_open(words: Sequence[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Part the overrides of open settings, such as labels.names={yes: "", no: ""}, from the others."""
    kept, taken = [], {}
    for word in words:
        if word.lstrip("+").startswith(tuple(f"{key}={{" for key in OPEN)):
            override = OverridesParser.create().parse_override(word)
            value = cast(dict[object, Any], override.value())
            taken[override.key_or_group] = {_key(key): each for key, each in value.items()}
        else:
            kept.append(word)
    return kept, taken


def _key(key: object) -> str:
    """Give a label such as 1 or true, which Hydra takes for a number or a truth value, its name back."""
    return str(key) if isinstance(key, str | int | float) and not isinstance(key, bool) else json.dumps(key)


def _with_open(config: DictConfig, taken: Mapping[str, dict[str, Any]]) -> DictConfig:
    """Put the overrides of open settings in the place of what the composed files say there."""
    for key, value in taken.items():
        OmegaConf.update(config, key, value, merge=False)
    return config


def _fault(name: str, override: str) -> str | None:
    """Say what is wrong with one override by itself, if anything."""
    try:
        _composed(name, [override])
    except HYDRA_ERRORS as error:
        return _sentence(error)
    return None


def run(name: str, task: Callable[[Any], object]) -> None:
    """Run `task(settings)` for the command line in sys.argv; ends the process on an error.

    Exit status: 0 done, 2 something the user can mend, 130 interrupted. In a multirun the
    other jobs still run after one fails.
    """
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(help_page(name))
        return
    register_settings()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach us as they are
    words, taken = sys.argv[1:], dict[str, dict[str, Any]]()
    try:
        if not any(word.startswith("-") for word in words):  # a multirun's lists are Hydra's to take apart
            compose_settings(name, words, JOBS[name])
        sys.argv[1:], taken = _take_open(words)
    except (ConfigError, HydraException) as error:
        sys.stderr.write(f"error: {error if isinstance(error, ConfigError) else _sentence(error)}\n")
        sys.exit(2)
    failures: list[str] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being stopped ends a run as Ctrl-C does

    def job(config: DictConfig) -> None:
        try:
            task(load_settings(_with_open(config, taken), JOBS[name]))
        except (StanceError, OSError) as error:
            failures.append(os_sentence(error) if isinstance(error, OSError) else str(error))
            sys.stderr.write(f"error: {failures[-1]}\n")

    main = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)(job)
    try:
        main()
    except (HydraException, OmegaConfBaseException) as error:  # of a multirun
        failures.append(str(error))
        sys.stderr.write(f"error: {_sentence(error)}\n")
    except KeyboardInterrupt:
        sys.stderr.write(f"interrupted{GOES_ON.get(name, '')}\n")
        sys.exit(130)
    if failures:
        sys.exit(2)


def _sentence(error: Exception) -> str:
    """Fold Hydra's message into one sentence."""
    told = isinstance(error, HydraException) and isinstance(error.__cause__, OmegaConfBaseException)
    return explain(str(error.__cause__ if told else error), JOBS)  # Hydra's own words leave out what was expected
