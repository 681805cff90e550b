"""Sweeps: every file says what W&B understands, with values that `hummuss fit` takes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.cli import LightningCLI

from hummuss.data import MotionDataModule
from hummuss.module import MotionModule

ROOT = Path(__file__).parents[1]
SWEEPS = sorted((ROOT / "configs" / "sweeps").glob("*.yaml"))
# https://docs.wandb.ai/models/sweeps/sweep-config-keys, without what names an account.
KEYS = {"program", "name", "description", "method", "metric", "parameters", "early_terminate", "command", "run_cap"}
RANGED = {"uniform", "int_uniform", "log_uniform_values", "inv_log_uniform_values"}


def faults(sweep: dict[str, Any]) -> list[str]:
    """What W&B would refuse or misunderstand, of the part of its schema that the files here use."""
    found = [f"unknown key {key}" for key in set(sweep) - KEYS]
    found += [f"no {key}" for key in ("program", "method", "metric", "parameters", "command") if not sweep.get(key)]
    if found:
        return found
    if sweep["method"] not in ("grid", "random", "bayes"):
        found.append(f"method {sweep['method']}")
    if set(sweep["metric"]) != {"name", "goal"} or sweep["metric"]["goal"] not in ("minimize", "maximize"):
        found.append(f"metric {sweep['metric']}")
    for name, limits in sweep["parameters"].items():
        if set(limits) == {"values"}:
            if not isinstance(limits["values"], list) or len(limits["values"]) < 2:
                found.append(f"{name} has no two values")
        elif set(limits) != {"distribution", "min", "max"} or limits["distribution"] not in RANGED:
            found.append(f"{name}: {limits}")
        elif not 0 < limits["min"] < limits["max"]:
            found.append(f"{name} has no range of positive numbers")
        elif sweep["method"] == "grid":
            found.append(f"{name} has no values for a grid")
    if not all(isinstance(part, str) for part in sweep["command"]) or sweep["command"][-1] != "${args}":
        found.append(f"command {sweep['command']} must end in ${{args}}")
    if sweep["method"] != "grid" and "run_cap" not in sweep:
        found.append(f"method {sweep['method']} without run_cap never ends")
    return found


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_sweep_is_what_wandb_understands(path: Path) -> None:
    assert faults(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    ("keys", "value", "fault"),
    [
        (["methd"], "grid", "unknown key methd"),
        (["metric"], None, "no metric"),
        (["method"], "bayesian", "method bayesian"),
        (["metric", "goal"], "minimise", "metric"),
        (["parameters", "x"], {"value": [1]}, "x: "),
        (["parameters", "x"], {"values": [1]}, "no two values"),
        (["parameters", "x"], {"distribution": "log_uniform", "min": 1.0, "max": 2.0}, "log_uniform"),
        (["parameters", "x"], {"distribution": "uniform", "min": 3.0, "max": 2.0}, "no range"),
        (["command"], ["hummuss", "fit"], "must end in"),
        (["run_cap"], None, "never ends"),
    ],
)
def test_a_sweep_with_a_fault_is_seen(keys: list[str], value: Any, fault: str) -> None:
    sweep = yaml.safe_load((ROOT / "configs/sweeps/size.yaml").read_text())
    inner = sweep
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    if value is None:
        del inner[keys[-1]]
    assert fault in "; ".join(faults(sweep))


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_value_of_a_sweep_reaches_model_or_data(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sweep = yaml.safe_load(path.read_text())
    start = sweep["command"].index("fit") + 1
    fixed = [part for part in sweep["command"][start:-1] if part not in ("--name", f"sweeps/{path.stem}")]
    choices = {name: limits.get("values") or list(limits.values())[1:] for name, limits in sweep["parameters"].items()}
    cli = parse(fixed)
    for row in range(max(map(len, choices.values()))):  # each value once, not each combination
        given = {name: values[row % len(values)] for name, values in choices.items()}
        # As `wandb agent` writes them.
        arguments = [*fixed, *(f"--{name}={value}" for name, value in given.items())]
        config = json.loads(json.dumps(cli.parser.parse_args(arguments).as_dict(), default=str))
        for name, value in given.items():
            found = config
            for key in name.split("."):
                # A dataclass that is no choice of class is parsed without this level.
                found = found if key == "init_args" and key not in found else found[key]
            assert found == value, name
    assert sweep["metric"]["name"].startswith("val/")
    collections = [head.metrics() for head in cli.model.heads.values()]
    assert sweep["metric"]["name"].removeprefix("val/") in {name for metrics in collections for name in metrics}


def parse(arguments: list[str]) -> LightningCLI:
    options = {"subclass_mode_model": True, "subclass_mode_data": True, "auto_configure_optimizers": False}
    return LightningCLI(MotionModule, MotionDataModule, args=arguments, run=False, **options)
