"""Models as folders to share: ``model.safetensors``, ``config.json`` and a model card, on disk, on a hub or shipped."""

import json
import re
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard, PyTorchModelHubMixin, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import save
from torch import Tensor, nn

from hummuss.data.motion import MotionClip
from hummuss.errors import InputError
from hummuss.heads.base import Batch, Prediction
from hummuss.inference.card import model_card
from hummuss.inference.clips import ClipPrediction, predict_clip
from hummuss.inference.runs import Run
from hummuss.inference.sharing import build
from hummuss.inference.strategy import Inference
from hummuss.weights import read_safetensors

CONFIG, WEIGHTS, CARD = constants.CONFIG_NAME, constants.SAFETENSORS_SINGLE_FILE, "README.md"
# Models that come with the package, a folder each; how they were trained is in docs/predict.md.
_SHIPPED = Path(__file__).parents[1] / "shipped"
# owner/name, as hubs call their models.
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Pretrained(nn.Module, PyTorchModelHubMixin, library_name="hummuss", tags=["human-pose-estimation"]):
    """A trained model with all that it needs to predict, in eval mode.

    ``save_pretrained(folder)`` writes it, ``Pretrained.from_pretrained(folder or id)`` and `load` read it,
    ``push_to_hub(id)`` uploads it. A folder made by ``hummuss export hub`` is one.

    Args:
        config: content of a config.json, see `hummuss.inference.sharing`.
        files: body file and regressor on this machine, for a model of a body that is not shared.

    Attributes:
        config: as given.
        model: backbone and heads.
        view: how the inputs of its training were made.
        trained_frames: frames in its training windows.
        layout: order of the joints that it takes.
        frame_rates: lowest and highest frames per second of its training windows; None where that is not known.

    Raises:
        InputError: a config that is not of a shared model; what is wrong is named.
    """

    def __init__(self, config: dict[str, Any], files: dict[str, str] | None = None) -> None:
        super().__init__()
        parts = build(config, files)
        self.config = self._hub_mixin_config = (
            config  # the mixin's own guess would hold ``files``, paths of this machine
        )
        self.model, self.view, self.trained_frames = parts.model, parts.view, parts.trained_frames
        self.layout, self.frame_rates = parts.layout, parts.frame_rates
        self.source = Path("model")
        self.eval()

    @property
    def run(self) -> Run:
        """What `predict_clip` takes."""
        return Run(self.source, self.model, self.view, self.trained_frames)

    def forward(self, batch: Batch) -> dict[str, Prediction]:
        """Every head's prediction for a batch, see docs/howto/new_head.md."""
        return self.model(batch)

    def predict(self, clip: MotionClip, inference: Inference | None = None) -> ClipPrediction:
        """Predict every frame of a clip, see `predict_clip`."""
        return predict_clip(self.run, clip, inference)

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The model card: how to use it, its measured table, where it comes from."""
        return ModelCard(model_card(self.config))

    def _save_pretrained(self, save_directory: Path) -> None:
        """Called by ``save_pretrained``, which writes config.json and the card itself."""
        state = {name: value.detach().cpu().contiguous().clone() for name, value in self.model.state_dict().items()}
        # `safetensors.torch.save_file` makes a file that nobody else may read.
        (save_directory / WEIGHTS).write_bytes(save(state, metadata={"format": "pt"}))

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        config: dict[str, Any] | None = None,
        map_location: str | torch.device = "cpu",
        body_path: str | None = None,
        h36m_regressor: str | None = None,
        revision: str | None = None,
        **download: Any,
    ) -> "Pretrained":
        """Called by ``from_pretrained``, which has read config.json."""
        if config is None:
            raise InputError(f"{model_id} has no {CONFIG}, which says what model it is: is it a hummuss model?")
        files = {"body_path": body_path, "h36m_regressor": h36m_regressor}
        made = cls(config=config, files={name: file for name, file in files.items() if file is not None})
        if Path(model_id).is_dir():
            weights = Path(model_id) / WEIGHTS
        else:
            weights = Path(hf_hub_download(model_id, WEIGHTS, revision=revision, **download))
        made.model.load_state_dict(_read_weights(weights, made.model.state_dict()))
        made.source = Path(model_id)
        return made.to(map_location)


def load(source: str | PathLike[str], device: str | torch.device = "cpu", **options: Any) -> Pretrained:
    """Load a shared model, ready to predict.

    Nothing in the folder can run code: weights are safetensors, and the config names classes of this package only.

    Args:
        source: folder that ``hummuss export hub`` or ``save_pretrained`` wrote, a hub's ``owner/name``, or one of
            `shipped_models`, unless a folder here has its name.
        device: where it shall run.
        options: ``body_path`` and ``h36m_regressor`` for a model of a body whose file is not shared; ``revision``,
            ``token``, ``cache_dir``, ``local_files_only`` of huggingface_hub for a hub's model.

    Raises:
        InputError: no such folder or model; files that are missing, damaged or not of a hummuss model; weights that
            lack entries, have more, or have other shapes than the config's model.
    """
    files = {name: options.pop(name) for name in ("body_path", "h36m_regressor") if name in options}
    folder = _SHIPPED / str(source) if _is_shipped(source) else Path(source)
    if not folder.is_dir():
        folder = _download(str(source), options)
    elif options:
        raise InputError(f"{source} is a folder, which takes no {', '.join(options)}: drop it")
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(
                f"{source} has no {name}, so it is no shared model: make one of a run with `hummuss export hub`"
            )
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{folder / CONFIG} is not valid JSON ({error}): copy the folder again") from error
    if not isinstance(config, dict):
        raise InputError(f"{folder / CONFIG} holds {config!r:.40}, expected an object: copy the folder again")
    try:
        return Pretrained.from_pretrained(folder, map_location=device, **files)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def shipped_models() -> list[str]:
    """Names of the models that come with the package.

    >>> shipped_models()
    ['live-cmu', 'pose-cmu']
    """
    return sorted(folder.name for folder in _SHIPPED.iterdir())


def is_shared(path: str | PathLike[str]) -> bool:
    """Whether a path is a shared model's folder, or no path here but a shipped model or a hub's ``owner/name``."""
    return (Path(path) / WEIGHTS).is_file() or _is_shipped(path) or _is_hub_id(str(path))


def _is_shipped(source: str | PathLike[str]) -> bool:
    return str(source) in shipped_models() and not Path(source).exists()


def _is_hub_id(text: str) -> bool:
    """A path that could be here, in a folder that exists, is meant as a path."""
    return bool(_HUB_ID.fullmatch(text)) and not Path(text.partition("/")[0]).exists()


def _download(model_id: str, options: dict[str, Any]) -> Path:
    if not _is_hub_id(model_id):
        raise InputError(
            f"no model at {model_id}: give a folder that `hummuss export hub` wrote, a hub's owner/name, or one that "
            f"comes with hummuss: {', '.join(shipped_models())}"
        )
    try:
        return Path(snapshot_download(model_id, allow_patterns=[CONFIG, WEIGHTS, CARD], **options))
    except (HfHubHTTPError, EntryNotFoundError, LocalEntryNotFoundError, OSError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{model_id} is no folder here, and the hub did not give it: {why}") from error


def _read_weights(path: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a file; it must hold what the model has, nothing else, in the same shapes and types."""
    if not path.is_file():
        raise InputError(f"{path} is missing: copy the whole folder")
    weights = read_safetensors(path)
    for said, names in (
        ("lacks", sorted(expected.keys() - weights.keys())),
        ("has the unknown", sorted(weights.keys() - expected.keys())),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise InputError(f"{path} {said} {', '.join(names[:3])}{more}: it is not of the model in {CONFIG}")
    for name, value in weights.items():
        own = expected[name]
        if (value.shape, value.dtype) != (own.shape, own.dtype):
            raise InputError(
                f"{path}: {name} is {tuple(value.shape)} {value.dtype}, the model in {CONFIG} has "
                f"{tuple(own.shape)} {own.dtype}"
            )
    return weights
