"""The user's body file, which datasets of body parameters are posed with; the free body where there is none."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from hummuss.body.smpl import BodyModel
from hummuss.errors import InputError

BODY_OPTIONS: dict[str, dict[str, Any]] = {
    "--body": {
        "type": Path,
        "metavar": "FILE",
        "help": "neutral SMPL file (.pkl or .npz) to pose; without it the free body is posed and betas are dropped",
    },
    "--regressor": {
        "type": Path,
        "metavar": "FILE",
        "help": "its regressor to the 17 Human3.6M joints (.npy), where the body file has none",
    },
}
NO_BODY = (
    "no --body was given: the free body is posed in place of SMPL, and betas are dropped (zeros): joints and vertices "
    "are not the recorded person's, and no figure on them compares with a published one"
)


@lru_cache(maxsize=1)
def open_body(body: Path | None, regressor: Path | None) -> BodyModel:
    """The body that a dataset is posed with, loaded once in every process.

    Args:
        body, regressor: what the options `BODY_OPTIONS` name; None for the free body.

    Raises:
        InputError: a regressor alone, or files that `BodyModel` refuses.
    """
    if body is None and regressor is not None:
        raise InputError(f"--regressor {regressor} belongs to a body file: give --body too, or neither")
    return BodyModel(None if body is None else str(body), None if regressor is None else str(regressor))
