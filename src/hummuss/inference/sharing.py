"""What config.json of a shared model says, and the model that it describes; nothing in it can name code to import.

Classes go by their bare names, which are looked up among those that this package makes public (`BACKBONES`,
`HEADS`): a file from the network can neither import a module nor call anything else. Their arguments are plain
JSON values.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

import hummuss.backbones
import hummuss.heads
from hummuss.body.skeleton import H36M17, Layout, get_layout
from hummuss.data.transforms.camera import RandomCamera
from hummuss.data.transforms.noise import DetectionNoise, RealisticNoise
from hummuss.data.windows import View
from hummuss.errors import InputError
from hummuss.heads.base import Head
from hummuss.inference.runs import Run
from hummuss.inference.strategy import Inference
from hummuss.module import MotionModule

FORMAT = 1
KEYS = (
    "format", "backbone", "heads", "inference", "view", "trained_frames", "layout", "frame_rates", "card",
)  # fmt: skip
# Arguments that name files of the machine at hand: a shared model says which file by its bare name alone.
FILE_ARGUMENTS = ("body_path", "h36m_regressor")


def _public(package: Any, kind: type, but: tuple[str, ...] = ()) -> dict[str, type]:
    """Classes of a kind that a package makes public, by their names."""
    found = {name: getattr(package, name) for name in package.__all__ if name not in but}
    return {name: entry for name, entry in found.items() if isinstance(entry, type) and issubclass(entry, kind)}


BACKBONES = _public(hummuss.backbones, nn.Module, but=("DiagonalSSM",))
HEADS = _public(hummuss.heads, Head, but=("Head",))


@dataclass(frozen=True)
class Parts:
    """What a config.json describes.

    Attributes:
        model: untrained.
        view: how the inputs of its training were made.
        trained_frames: frames in its training windows.
        layout: order of its input joints.
        frame_rates: lowest and highest frames per second of its training windows; None where that is not known.
    """

    model: MotionModule
    view: View
    trained_frames: int
    layout: Layout
    frame_rates: tuple[float, float] | None


def describe(
    run: Run, settings: Mapping[str, Any], frame_rates: Sequence[float] | None, card: Mapping[str, Any]
) -> dict[str, Any]:
    """The config.json of a run.

    Args:
        run: the loaded run.
        settings: its config.yaml.
        frame_rates: lowest and highest frames per second of its training windows; None where that is not known.
        card: what its model card tells, see `hummuss.inference.card`.

    Raises:
        InputError: a class that this package does not make public, which nobody else could load.
    """
    model = settings["model"]["init_args"]
    heads = {name: _named(f"heads.{name}", model["heads"][name], HEADS) for name in run.model.heads}
    for name, head in run.model.heads.items():
        heads[name]["init_args"] |= head.found_settings()
    config = {
        "format": FORMAT,
        "backbone": _named("backbone", model["backbone"], BACKBONES),
        "heads": heads,
        "inference": {entry.name: getattr(run.model.inference, entry.name) for entry in _options(Inference)},
        "view": asdict(run.view),
        "trained_frames": run.trained_frames,
        "layout": H36M17.name,
        "frame_rates": None if frame_rates is None else list(frame_rates),
        "card": dict(card),
    }
    return json.loads(json.dumps(config))  # as the file will say it: tuples are lists


def build(config: Mapping[str, Any], files: Mapping[str, str] | None = None) -> Parts:
    """The untrained model that a config.json describes, in eval mode.

    Args:
        config: the file's content.
        files: argument of `FILE_ARGUMENTS` -> file on this machine, in place of the name in the config.

    Raises:
        InputError: a key that is missing, unknown or of the wrong kind; a class that is not this package's; an argument
            that its class refuses. The key is named.
    """
    _check_keys("config.json", config, KEYS)
    if config["format"] != FORMAT:
        raise InputError(
            f"config.json has format {config['format']!r}, this version reads {FORMAT}: install the version of hummuss "
            "that wrote it"
        )
    backbone = _make("backbone", _class("backbone", config["backbone"], BACKBONES), config["backbone"]["init_args"])
    heads: dict[str, Callable[[int], Head]] = {}
    bodies: set[str] = set()
    for name, entry in _object("heads", config["heads"]).items():
        found = _class(f"heads.{name}", entry, HEADS)
        if not name or "." in name:
            raise InputError(f"config.json: a head is named {name!r}, expected a word without dots")
        _check_files(f"heads.{name}", entry["init_args"])
        body = entry["init_args"].get("body_path")
        arguments = dict(entry["init_args"])
        if body is not None:
            bodies.add(body)
            arguments |= files or {}
        heads[name] = partial(_make_head, f"heads.{name}", found, arguments)
    if not heads:
        raise InputError("config.json: heads is empty: a model needs one to predict anything")
    _check_bodies(files or {}, bodies)
    inference = _make("inference", Inference, config["inference"])
    model = MotionModule(backbone, heads, inference=inference).eval()
    rates, frames = config["frame_rates"], config["trained_frames"]
    if not isinstance(frames, int) or isinstance(frames, bool) or frames < 1:
        raise InputError(f"config.json: trained_frames is {frames!r}, expected a number of frames above 0")
    if rates is not None and not (isinstance(rates, list) and len(rates) == 2 and _is_range(*rates)):
        raise InputError(f"config.json: frame_rates is {rates!r}, expected the lowest and the highest or null")
    layout = get_layout(config["layout"]) if isinstance(config["layout"], str) else None
    if layout is None:
        raise InputError(f"config.json: layout is {config['layout']!r}, expected the name of a joint layout")
    return Parts(model, _view(config["view"]), frames, layout, None if rates is None else (rates[0], rates[1]))


def _check_bodies(files: Mapping[str, str], bodies: set[str]) -> None:
    """Refuse files that the model has no use for, and a body by another name: its shape space is not the model's."""
    if files and not bodies:
        raise InputError(f"the model poses no body of a file: drop {', '.join(files)}")
    for body in bodies if "body_path" in files else ():
        if Path(files["body_path"]).stem != Path(body).stem:
            raise InputError(
                f"the model was trained with the body {Path(body).stem}, and body_path is {files['body_path']}: "
                "what it says of shape means nothing to another body; where both are the same, name your copy "
                f"{Path(body).stem}"
            )


def _named(key: str, entry: Mapping[str, Any], known: Mapping[str, type]) -> dict[str, Any]:
    """A config.yaml's entry by its class's bare name, arguments that name files by the files' bare names."""
    path = entry["class_path"]
    name = path.rpartition(".")[2]
    if not path.startswith("hummuss.") or name not in known:
        raise InputError(f"{key} is a {path}, which nobody else has: a shared model is made of {', '.join(known)}")
    arguments = dict(entry.get("init_args") or {})
    for argument in FILE_ARGUMENTS:
        if arguments.get(argument) is not None:
            arguments[argument] = Path(arguments[argument]).name
    for argument, value in arguments.items():
        if isinstance(value, Mapping) and "class_path" in value:
            raise InputError(f"{key}.{argument} is a {value['class_path']}: a shared model has plain values only")
    return {"class": name, "init_args": arguments}


def _class(key: str, entry: Any, known: Mapping[str, type]) -> type:
    """The class that an entry names."""
    _check_keys(f"config.json: {key}", _object(key, entry), ("class", "init_args"))
    _object(f"{key}.init_args", entry["init_args"])
    name = entry["class"]
    if not isinstance(name, str) or name not in known:
        raise InputError(f"config.json: {key} is of the unknown class {name!r}: hummuss has {', '.join(known)}")
    return known[name]


def _check_files(key: str, arguments: Mapping[str, Any]) -> None:
    """A config from elsewhere must not have a file opened somewhere on this machine."""
    for argument in FILE_ARGUMENTS:
        value = arguments.get(argument)
        if value is not None and (not isinstance(value, str) or Path(value).name != value):
            raise InputError(f"config.json: {key}.{argument} is {value!r}, expected the bare name of a file")


def _make(key: str, made: type, arguments: Any) -> Any:
    """An object of a class; JSON's lists become tuples."""
    values = {name: _tuples(value) for name, value in _object(key, arguments).items()}
    try:
        return made(**values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"config.json: {key} is no {made.__name__}: {str(error).splitlines()[0]}") from error


def _make_head(key: str, made: type[Head], arguments: Mapping[str, Any], dim_rep: int) -> Head:
    try:
        return _make(key, made, {"dim_rep": dim_rep, **arguments})
    except InputError as error:
        files = [name for name in FILE_ARGUMENTS if arguments.get(name) is not None]
        hint = f"; name your own copy, as in load(..., {files[0]}=...)" if files else ""
        raise InputError(f"{error}{hint}") from error


def _view(value: Any) -> View:
    _check_keys("config.json: view", _object("view", value), [entry.name for entry in fields(View)])
    camera = _make("view.camera", RandomCamera, value["camera"])
    # Told apart by what only the realistic one has, so that models shared before there were two still load.
    realistic = "correlation" in _object("view.noise", value["noise"])
    noise = _make("view.noise", RealisticNoise if realistic else DetectionNoise, value["noise"])
    return _make("view", View, {"camera": camera, "noise": noise, "normalisation": value["normalisation"]})


def _options(made: type) -> list[Any]:
    """Fields of a dataclass that its constructor takes."""
    return [entry for entry in fields(made) if entry.init]


def _object(key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"config.json: {key} is {value!r:.40}, expected an object")
    return value


def _check_keys(where: str, value: Mapping[str, Any], expected: Any) -> None:
    missing, extra = [key for key in expected if key not in value], [key for key in value if key not in expected]
    if missing or extra:
        said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has unknown {', '.join(extra)}"] * bool(extra)
        raise InputError(f"{where} {' and '.join(said)}: it is not of a model that hummuss exported")


def _is_range(low: Any, high: Any) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (low, high))
    return numbers and 0 < low <= high < math.inf


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
