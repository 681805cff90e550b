"""YAML files that people write."""

from pathlib import Path
from typing import Any

import yaml

from hummuss.errors import InputError


def read_yaml(path: Path) -> Any:
    """What a file says.

    Raises:
        InputError: it is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
