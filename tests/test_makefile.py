"""`make help` tells of every target, and every recipe's command exists."""

import re
import subprocess
from pathlib import Path

from hummuss.cli.main import COMMANDS, LIGHTNING

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z][a-z-]*):", TEXT, re.MULTILINE)


def test_help_lists_every_target_with_a_description() -> None:
    listed = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    rows = dict(re.findall(r"^  make (\S+) +(\S.*)$", listed, re.MULTILINE))
    assert list(rows) == TARGETS
    assert all(len(text) > 10 for text in rows.values())


def test_no_target_is_taken_for_a_file() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", TEXT.replace("\\\n", ""), re.MULTILINE)
    assert phony.split() == TARGETS


def test_recipes_use_commands_that_there_are() -> None:
    used = re.findall(r"bin/hummuss (\w+)|BIN\)/hummuss (\w+)", TEXT)
    assert used
    assert {name for pair in used for name in pair if name} <= set(LIGHTNING) | set(COMMANDS)
