"""The one Hydra door: composes configs/, checks every value, runs a script. No DictConfig leaves it."""

import difflib
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
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
OPEN = ("labels.names", "labels.aliases", "data.measures", "data.files", "data.source.urls")
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
        sys.stdout.write(describe(name))
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


def describe(name: str) -> str:
    """Return the help of a script: every group, its choices, and every value with its comment."""
    entry = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    chosen = re.findall(r"^\s+- (?:override )?/?(\w+): (\w+)", entry, flags=re.MULTILINE)
    script = "benchmark.py speed" if name == "speed" else f"{name}.py"
    parts = [
        f"usage: python scripts/{script} [GROUP=CHOICE] [KEY=VALUE] ...\n",
        "Every value below can be overridden by its dotted key, for example data.path=my.csv;",
        "-m runs every combination of comma-separated values.\n",
        f"# configs/{name}.yaml\n{entry}",
    ]
    for group, choice in chosen:
        parts.append(f"# {group}=  one of: {', '.join(_choices(group)) or '(none yet)'}")
        path = CONFIGS / group / f"{choice}.yaml"
        if path.exists():
            body = re.sub(r"^(?=.)", "  ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            parts.append(f"{group}:  # configs/{group}/{choice}.yaml\n{body}")
    return "\n".join(parts)


def _choices(group: str) -> list[str]:
    """Return what `group=` may be."""
    folder = CONFIGS / group
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def _sentence(error: Exception) -> str:
    """Fold Hydra's message into one sentence and suggest the nearest setting."""
    told = isinstance(error, HydraException) and isinstance(error.__cause__, OmegaConfBaseException)
    message = str(error.__cause__ if told else error)  # Hydra's own words leave out what was expected
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("reference_type", "object_type", "full_key"))]
    text = " ".join(kept)
    full_key = re.search(r"full_key: (\S+)", message)
    if full_key and full_key.group(1) not in text:
        text = f"{full_key.group(1)}: {text}"
    absent = re.search(r"Could not (?:find|load) '(\w+)/([\w/.-]+)'", text)
    if absent:
        group, choice = absent.groups()
        near = difflib.get_close_matches(choice, _choices(group), n=1)
        known = ", ".join(_choices(group))
        text = f"{group}={choice}: not one of {known}" + (f"; did you mean '{near[0]}'?" if near else "")
    unknown = re.search(r"Key '([\w.]+)' (?:is not in struct|not in)", text)
    if unknown:
        words = re.findall(r"^\s*(\w+):", "\n".join(p.read_text() for p in CONFIGS.rglob("*.yaml")), re.M)
        near = difflib.get_close_matches(unknown.group(1), sorted(set(words)), n=1)
        inner = _inside(unknown.group(1), text)
        if inner:
            text = f"{text}; did you mean '{' or '.join(inner)}'?"
        elif near == [unknown.group(1)]:
            text = f"{text}; '{near[0]}' is a setting of another script"
        elif near:
            text = f"{text}; did you mean '{near[0]}'?"
    return f"settings: {text}{'' if text.endswith('?') else '.'} See --help for every key"


def _inside(word: str, told: str) -> list[str]:
    """Return the keys GROUP.word of the job that Hydra's words name, such as train.epochs for epochs."""
    job = re.search(r" in '(\w+)'", told)
    groups = [field.name for each in JOBS.values() if job and each.__name__ == job[1] for field in fields(each)]
    held = {group: "\n".join(p.read_text() for p in (CONFIGS / group).glob("*.yaml")) for group in groups}
    return [f"{group}.{word}" for group, text in held.items() if re.search(rf"^{word}:", text, re.M)]
