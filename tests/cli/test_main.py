"""The command line's help and its one-line errors."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from torch._utils import ExceptionWrapper

from hummuss import InputError
from hummuss.cli.main import COMMANDS, main
from hummuss.cli.messages import one_line

CONFIG = "configs/mesh.yaml"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch, request) -> None:
    """Runs must not land in the repository; configs stay reachable by their usual names."""
    (tmp_path / "configs").symlink_to(request.config.rootpath / "configs")
    monkeypatch.chdir(tmp_path)


def error_of(arguments: list[str], capsys) -> str:
    """The command's single line on standard error."""
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hummuss: error:")]
    assert len(lines) == 1
    return lines[0]


def test_help_lists_every_command(capsys) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("fit", "validate", "test", "prepare", "predict", "report"):
        assert command in text


@pytest.mark.parametrize("command", ["fit", "validate", "test"])
def test_help_of_lightnings_commands_fits_on_a_screen(command, capsys) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"usage: hummuss {command} --config" in text
    assert len(text.splitlines()) < 60
    assert max(len(line) for line in text.splitlines()) <= 120
    for part in ("--ckpt_path", "--help-all", "--debug", "configs/size/tiny.yaml     ", "configs/data/NAME.yaml     "):
        assert part in text
    assert "studies" not in text
    # Its examples name configs that there are.
    for word in text.split():
        if word.startswith("configs/"):
            assert Path(word.replace("NAME", "cmu")).is_file(), word
    assert " amass, cmu, " in text


def test_all_options_of_fit_are_a_flag_away(capsys) -> None:
    for arguments, text in (
        (["--help-all"], "--trainer.accumulate_grad_batches"),
        (["--model.help", "hummuss.MotionModule"], "--model.ssm_learning_rate SSM_LEARNING_RATE"),
        (["--data.help", "hummuss.data.StoreDataModule"], "--data.root ROOT"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["fit", *arguments])
        assert stop.value.code == 0
        assert text in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_other_command_has_help_that_says_what_it_does(command, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: hummuss {command}")
    assert "`" not in text
    head = text.partition("\n\n")[2].partition("\n\n")[0]
    assert len(head) > 30, "a description"


def broken(*_) -> int:
    raise KeyError("a defect\nwith a second line")


def test_a_mistake_found_by_a_loaders_process_is_one_line() -> None:
    def fail() -> None:
        raise InputError("clip a: no frames")

    try:
        fail()
    except InputError:
        carried = ExceptionWrapper(sys.exc_info(), where="in DataLoader worker process 0")
    with pytest.raises(InputError) as caught:
        carried.reraise()
    assert one_line(caught.value) == "clip a: no frames"


def test_a_defect_is_one_line_and_its_traceback_is_in_a_log(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr("hummuss.cli.main._run_command", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["report"]) == 1
    err = capsys.readouterr().err
    (line,) = err.splitlines()
    found = re.fullmatch(r"hummuss: error: KeyError: (.*); the traceback is in (\S+); --debug shows it here", line)
    assert found
    assert found[1] == r"'a defect\nwith a second line'"
    assert "in broken" in Path(found[2]).read_text()
    # Where no log can be written (a full disk may be the very defect), the line says that instead.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert main(["report"]) == 1
    assert "(no log of it could be written: No such file or directory); --debug" in capsys.readouterr().err
    with pytest.raises(KeyError):
        main(["report", "--debug"])


def test_unknown_command_is_named(capsys) -> None:
    assert "unknown command 'fitt'" in error_of(["fitt"], capsys)


def with_change(path, *keys_and_value) -> str:
    """A copy of the mesh config with one value set."""
    *keys, value = keys_and_value
    config = yaml.safe_load(Path(CONFIG).read_text())
    inner = config
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(yaml.safe_dump(config))
    return str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("model", "init_args", "learning_rat", 1e-3),
            "'learning_rat' is not accepted; did you mean 'learning_rate'?",
        ),
        (
            ("model", "init_args", "backbone", "init_args", "dept", 3),
            "'dept' is not accepted; did you mean 'depth'?",
        ),
        (("model", "init_args", "backbone", "init_args", "dim", "wide"), "dim (hummuss.HumMUSS): Expected a"),
        (("trainr", {"max_epochs": 1}), "'trainr"),
        (("data", "init_args", "body_path", "body.npz"), "no body file at body.npz"),
        (("trainer", "profiler", "quickest"), "it can only be one of ['simple'"),
    ],
)
def test_a_mistake_in_a_config_is_one_line_that_names_it(tmp_path, capsys, change, message) -> None:
    config = with_change(tmp_path / "changed.yaml", *change)
    assert message in error_of(["fit", "--config", config, "--trainer.fast_dev_run", "1"], capsys)


@pytest.mark.parametrize(
    ("config", "option", "advice"),
    [
        ("configs/multitask.yaml", "--data.init_args.frames=9", "Option 'frames' is not accepted; it has parts, seed"),
        ("configs/pose.yaml", "--model.init_args.heads.pose.init_args.velocity_weigh=1", "mean 'velocity_weight'?"),
    ],
)
def test_advice_is_of_the_class_that_lacks_the_option(capsys, config: str, option: str, advice: str) -> None:
    assert advice in error_of(["fit", "--config", config, option], capsys)


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_command_without_a_config_says_what_it_lacks(capsys, command: str) -> None:
    assert "name a task's config, such as --config configs/pose.yaml" in error_of([command], capsys)


def test_missing_and_empty_roots_say_what_to_run(tmp_path, capsys) -> None:
    arguments = ["fit", "--config", CONFIG, "--config", "configs/data/cmu.yaml", "--data.init_args.root"]
    assert "write one with `hummuss prepare" in error_of([*arguments, "nowhere"], capsys)
    (tmp_path / "empty").mkdir()
    assert "has no index.json, so it is not a prepared store" in error_of([*arguments, "empty"], capsys)


def test_resuming_without_a_run_says_so(capsys) -> None:
    arguments = ["fit", "--config", CONFIG, "--ckpt_path", "last"]
    assert "no run under runs/mesh has a last.ckpt" in error_of(arguments, capsys)


def test_a_checkpoint_that_is_not_there_is_named(tmp_path, capsys) -> None:
    # To go on with, a folder has more than one.
    for command, given, named in (
        ("fit", "runs/mesh/7/best.ckpt", "runs/mesh/7/best.ckpt"),
        ("test", "runs/mesh/7/best.ckpt", "runs/mesh/7/best.ckpt"),
        ("test", str(tmp_path), f"{tmp_path}/best.ckpt"),
        ("fit", str(tmp_path), str(tmp_path)),
    ):
        arguments = [command, "--config", CONFIG, "--ckpt_path", given]
        assert f"no checkpoint at {named}: give --ckpt_path a file" in error_of(arguments, capsys)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("precision", "bf16-true", "trainer.precision is bf16-true: give one of 32-true, bf16-mixed"),
        ("max_epochs", "-1", "training has no end"),
    ],
)
def test_a_training_that_could_not_go_well_does_not_begin(
    option, value, message, tmp_path, monkeypatch, capsys
) -> None:
    config = with_change(tmp_path / "changed.yaml", "trainer", "logger", False)
    monkeypatch.chdir(tmp_path)
    assert message in error_of(["fit", "--config", config, f"--trainer.{option}", value], capsys)


def test_a_setting_that_an_overlays_class_does_not_take_is_named_once(capsys) -> None:
    configs = ["--config", "configs/action.yaml", "--config", "configs/data/mixture.yaml"]
    with pytest.raises(SystemExit):  # what --print_config ends with
        main(["fit", *configs, "--print_config"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "MixtureDataModule does not take {'balance_classes': True}, set before for hummuss.data.Synth" in line


def test_a_missing_config_is_named(capsys) -> None:
    assert "nowhere.yaml" in error_of(["fit", "--config", "nowhere.yaml"], capsys)
