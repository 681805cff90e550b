"""Types of arguments: what they take, and what they say of what they refuse."""

from argparse import ArgumentTypeError

import pytest
import torch

from hummuss.cli.arguments import count, count_or_none, device
from hummuss.cli.main import main


def test_counts() -> None:
    assert (count("3"), count_or_none("0")) == (3, 0)
    for text in ("0", "-1", "2.5", "", "x"):
        with pytest.raises(ArgumentTypeError, match="is no whole number from 1 on"):
            count(text)


def test_devices_that_are_not_here_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert [device(text) for text in ("cpu", "cuda", "cuda:0")] == ["cpu", "cuda", "cuda:0"]
    with pytest.raises(ArgumentTypeError, match="cuda:1: torch finds 1 GPUs here"):
        device("cuda:1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ArgumentTypeError, match="cuda: torch finds 0 GPUs here"):
        device("cuda")
    for text in ("gpu", "mps", "cpu:0", "meta", ""):
        with pytest.raises(ArgumentTypeError, match="is neither cpu nor cuda"):
            device(text)


@pytest.mark.parametrize(
    "command",
    [
        ["eval", "robustness", "--config", "a.yaml", "--ckpt", "a"],
        ["bench", "speed"],
        ["bench", "profile"],
        ["bench", "loader"],
    ],
)
def test_every_command_says_where_it_cannot_run(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--device", "gpu"])
    assert "gpu is neither cpu nor cuda" in capsys.readouterr().err
