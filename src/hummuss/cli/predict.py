"""``hummuss predict``: 3D out of your own 2D keypoints, or out of clips of a prepared store."""

import argparse
import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import numpy as np
import torch

from hummuss.body.skeleton import LAYOUTS
from hummuss.data.motion import MotionClip
from hummuss.data.readers.keypoints import read_keypoints
from hummuss.data.store import MotionStore
from hummuss.errors import DAMAGED_ARCHIVE, InputError

LIKELIEST = 3  # classes that are printed
FILES = ("body_path", "h36m_regressor")  # of the machine at hand, which a shared model does not bring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("input", type=Path, metavar="INPUT", help="keypoints (.npz, .json, .npy) or a prepared store")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="file.npz to write, file.png beside it; a store: a folder"
    )
    text = (
        "checkpoint of a run, the run's folder, or a shared model: its folder, a hub's owner/name, pose-cmu or live-cmu"
    )
    parser.add_argument("--ckpt_path", required=True, help=text)
    parser.add_argument(
        "--clips",
        nargs="+",
        default=[],
        metavar="NAME",
        help="which clips of a store: names, patterns such as '01_*', or all",
    )
    for name in FILES:
        parser.add_argument(f"--{name}", help="your copy of that file, for a shared model that was trained with one")
    for name, kind, text in (
        ("layout", str, f"joint order: {', '.join(sorted(LAYOUTS))}"),
        ("fps", float, "frames per second"),
        ("width", int, "of the image, pixels"),
        ("height", int, "of the image, pixels"),
    ):
        parser.add_argument(f"--{name}", type=kind, help=f"{text}; for keypoints that do not say")
    parser.add_argument(
        "--windows", type=_windows, help="whole, auto, or frames per window (default: as the run's config says, auto)"
    )
    parser.add_argument("--flip", action="store_true", help="also predict the mirrored input, and average")
    parser.add_argument("--stream", action="store_true", help="frame by frame, for a causal model; the same result")


def _windows(text: str) -> int | str:
    if text in ("auto", "whole"):
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be whole, auto or a number of frames above 0")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Write one npz per clip, and a picture where the run predicts a pose or a body."""
    clips = _clips(arguments)  # before seconds are spent on the model
    # Imported late: they bring Lightning with them.
    from hummuss.inference import Inference, load, load_run, predict_clip
    from hummuss.inference.pretrained import is_shared, shipped_models
    from hummuss.weights import find_checkpoint

    device = "cuda" if torch.cuda.is_available() else "cpu"
    path = arguments.ckpt_path
    shared = is_shared(path)
    if not shared and not (checkpoint := find_checkpoint(Path(path))).is_file():
        raise InputError(
            f"no checkpoint at {checkpoint}: give a file such as runs/pose/1/best.ckpt, its folder, a shared model's, "
            f"or a model that comes along, {' or '.join(shipped_models())}, where no folder here has its name"
        )
    files = {name: getattr(arguments, name) for name in FILES if getattr(arguments, name) is not None}
    if files and not shared:
        given = ", ".join(f"--{name}" for name in files)
        raise InputError(f"{path} is a run, whose own config names its files: drop {given}")
    trained = load(path, device, **files).run if shared else load_run(path, device)
    configured = trained.model.inference
    inference = Inference(
        windows=arguments.windows or ("whole" if arguments.stream else configured.windows),
        stride=None if arguments.windows else configured.stride,
        flip=arguments.flip or configured.flip,
        # Windows in the call go before the run's own stream, which has none.
        stream=arguments.stream or (configured.stream and not isinstance(arguments.windows, int)),
    )
    for read, path in clips:
        clip = read()
        prediction = predict_clip(trained, clip, inference)
        prediction.save(path)
        picture = f" and {path.with_suffix('.png').name}"
        if prediction.joints3d is None:
            picture = ", no picture as the run predicts neither pose nor mesh"
            path.with_suffix(".png").unlink(missing_ok=True)  # that of an earlier prediction, see `_check_place`
        else:
            prediction.draw(path.with_suffix(".png"))
        print(f"wrote {path}{picture}: {len(clip)} frames, {prediction.inference}")
        if unseen := int((prediction.confidence == 0).all(1).sum()):
            print(f"  {unseen} of them show nobody: what stands there is a guess, of confidence 0")
        if prediction.actions:
            likeliest = sorted(prediction.actions.items(), key=lambda item: -item[1])[:LIKELIEST]
            print(f"  {', '.join(f'{name} {share:.1%}' for name, share in likeliest)}")
    return 0


def _clips(arguments: argparse.Namespace) -> list[tuple[Callable[[], MotionClip], Path]]:
    """What reads each clip, and the file that its prediction goes to."""
    source, out = arguments.input, arguments.out
    options = {name: getattr(arguments, name) for name in ("layout", "fps", "width", "height")}
    if source.is_dir():
        given = [f"--{name}" for name, value in options.items() if value is not None]
        if given:
            raise InputError(f"{source} is a store, whose clips say all themselves: drop {', '.join(given)}")
        if out.suffix == ".npz":
            raise InputError(f"{out}: clips of a store go into a folder, one file each: name one")
        store = MotionStore(source)
        if source.resolve() in (out.resolve(), *out.resolve().parents):
            raise InputError(f"{out} lies in the store {source} itself: name a folder outside of it")
        chosen = _chosen(store, arguments.clips)
        for name in chosen:
            _check_place(out / f"{name}.npz")
        return [(partial(store.__getitem__, name), out / f"{name}.npz") for name in chosen]
    if not source.exists():
        raise InputError(f"no keypoints at {source}: give a file of them, or a prepared store")
    if arguments.clips:
        raise InputError(f"{source} is one clip, only a store has several: drop --clips")
    if out.resolve() == source.resolve():
        raise InputError(f"{out} is the input itself: name another file to write")
    if out.suffix != ".npz":
        raise InputError(f"{out} does not end in .npz: name the file to write")
    _check_place(out)
    clip = read_keypoints(source, **options)
    return [(lambda: clip, out)]


def _check_place(path: Path) -> None:
    """Refuse a place that no file can be written to, before a model is loaded and run for it, or that is taken.

    An earlier prediction is written anew; anything else, such as another recording of keypoints, is somebody's.
    """
    picture = path.with_suffix(".png")
    for file in (path, picture):
        if file.is_dir():
            raise InputError(f"{file} is a folder: name another file to write")
    if path.exists() and not _is_prediction(path):
        raise InputError(f"{path} is there already and no prediction: name another file to write, or move it away")
    if picture.exists() and not path.exists():
        raise InputError(f"{picture} is there already and no prediction's: name another file to write, or move it away")
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    if not parent.is_dir():
        raise InputError(f"{path} cannot be written, as {parent} is a file: name another place")
    if not os.access(parent, os.W_OK):
        raise InputError(f"{path} cannot be written, as {parent} lets you write nothing: name another place")


def _is_prediction(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            return isinstance(content, np.lib.npyio.NpzFile) and "inference" in content
    except DAMAGED_ARCHIVE:
        return False


def _chosen(store: MotionStore, wanted: Sequence[str]) -> list[str]:
    """Names of the clips of a store that are wanted, each once: by name, by pattern, or all."""
    names = store.names()
    listed = f"hummuss.data.MotionStore({str(store.path)!r}).names() lists them"
    if not wanted:
        raise InputError(
            f"{store.path} holds {len(names)} clips: name some with --clips, as in --clips {names[0]}, by a pattern, "
            f"or all of them with --clips all; {listed}"
        )
    chosen: dict[str, None] = {}
    for word in wanted:
        fits = [word] if word in names else [name for name in names if word == "all" or fnmatchcase(name, word)]
        if not fits:
            first = ", ".join(names[:5])
            raise InputError(f"{store.path} has no clip {word!r} among its {len(names)}, {first}, ...: {listed}")
        chosen |= dict.fromkeys(fits)
    return list(chosen)
