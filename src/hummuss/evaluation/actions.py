"""Action recognition beside what needs no sequence model: the majority class, and a regression on per-frame statistics.

All are scored on the same clips, seen by the same cameras with the same detection noise, and learn from the same clips.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float64, Int
from torch.utils.data import default_collate

from hummuss.data.datamodules import MotionDataModule
from hummuss.data.motion import MotionClip
from hummuss.data.windows import EvaluationWindows
from hummuss.errors import InputError
from hummuss.evaluation.trained import Trained, find_head
from hummuss.heads.action import ActionHead
from hummuss.heads.base import Batch
from hummuss.metrics.accuracy import mean_class_accuracy, top_k_accuracy

# Cameras that see each training clip for the regression, which no augmentation helps.
TRAINING_VIEWS = 4
# Strengths of the regression's regulariser, the best of which on the validation clips is taken.
REGULARISATIONS = (0.001, 0.01, 0.1, 1.0, 10.0)
STATISTICS = (np.nanmean, np.nanstd, np.nanmin, np.nanmax)


@dataclass(frozen=True)
class Judged:
    """What one model makes of the clips.

    Attributes:
        model: name in tables.
        seed: of its training; None where nothing is drawn.
        scores: of each clip and class; the largest is chosen.
        label: class of each clip.
    """

    model: str
    seed: int | None
    scores: Float64[np.ndarray, "N classes"]
    label: Int[np.ndarray, "N"]

    @property
    def balanced(self) -> float:
        """Mean over the classes of the share of their clips that are recognised, %."""
        return float(mean_class_accuracy(torch.from_numpy(self.scores), torch.from_numpy(self.label)))

    @property
    def top1(self) -> float:
        """Share of the clips that are recognised, %."""
        return float(top_k_accuracy(torch.from_numpy(self.scores), torch.from_numpy(self.label)))

    @property
    def confusion(self) -> Int[np.ndarray, "classes classes"]:
        """Clips by true and by predicted class."""
        found = np.zeros((self.scores.shape[1],) * 2, np.int64)
        np.add.at(found, (self.label, self.scores.argmax(1)), 1)
        return found


def judge_runs(runs: Sequence[Trained], data: MotionDataModule, split: str) -> list[Judged]:
    """Every run on the whole clips of a split.

    Args:
        runs: with action heads, of classes that `refuse_other_classes` has looked at.
        data: whose clips they are.
        split: which of them.
    """
    heads = [find_head(trained.run, ActionHead)[0] for trained in runs]
    scores: list[list[np.ndarray]] = [[] for _ in runs]
    labels: list[int] = []
    for batch in labelled(data, split):
        for trained, head, own in zip(runs, heads, scores, strict=True):
            run = trained.run
            placed = {key: value.to(next(run.model.parameters()).device) for key, value in batch.items()}
            predictions = run.model.inference.predict(run.model, placed, run.trained_frames)
            own.append(predictions[head]["probabilities"][0].double().cpu().numpy())
        labels.append(int(batch["label"][0]))
    return [
        Judged(trained.model, trained.seed, np.stack(own), np.array(labels))
        for trained, own in zip(runs, scores, strict=True)
    ]


def judge_majority(data: MotionDataModule, label: Int[np.ndarray, "N"]) -> Judged:
    """The class of most training clips, whatever the clip."""
    counts = [list(data.labels("train")).count(name) for name in data.classes]
    scores = np.zeros((len(label), len(counts)))
    scores[:, int(np.argmax(counts))] = 1
    return Judged("majority class", None, scores, label)


def judge_statistics(data: MotionDataModule, split: str) -> Judged:
    """A logistic regression on `statistics` of whole clips, the classes weighted to count the same.

    It learns from the training clips, each seen by `TRAINING_VIEWS` cameras; its regulariser is the one of
    `REGULARISATIONS` that is best on the validation clips in balanced accuracy.

    Raises:
        InputError: scikit-learn is not installed, or no clip of a split is of one of the classes.
    """
    try:
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise InputError("the regression on statistics needs scikit-learn: pip install scikit-learn") from error
    features, label = _table(_training_views(data), "train")
    chosen, own = _table(labelled(data, "val"), "val")
    shown, wanted = _table(labelled(data, split), split)
    best, kept = -1.0, None
    for strength in REGULARISATIONS:
        model = make_pipeline(
            SimpleImputer(keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=strength, class_weight="balanced", max_iter=2000),
        ).fit(features, label)
        # A class without training clips has no column of its own: it is never chosen.
        columns = model[-1].classes_
        judged = []
        for table, true in ((chosen, own), (shown, wanted)):
            scores = np.zeros((len(table), len(data.classes)))
            scores[:, columns] = model.predict_proba(table)
            judged.append(Judged("regression on statistics", None, scores, true))
        if judged[0].balanced > best:
            best, kept = judged[0].balanced, judged[1]
    assert kept is not None
    return kept


def statistics(batch: Batch) -> Float64[np.ndarray, "features"]:
    """What is known of a clip without the order of its frames, but for speeds: mean, standard deviation, smallest and
    largest value over the frames of every joint's x and y (normalised as the models see them), and of its speed per
    second. Of a joint that was never seen: NaN.

    Args:
        batch: of one clip.
    """
    keypoints, valid = batch["keypoints"][0].double().numpy(), batch["valid"][0].numpy()
    seen = (keypoints[..., 2] > 0) & valid[:, None]
    places = np.where(seen[..., None], keypoints[..., :2], np.nan)
    speeds = np.linalg.norm(np.diff(places, axis=0), axis=-1) / batch["dt"][0, 1:, None].double().numpy()
    columns = [*places.reshape(len(places), -1).T, *speeds.T]
    return np.array(
        [
            statistic(values[~np.isnan(values)]) if (~np.isnan(values)).any() else np.nan
            for values in columns
            for statistic in STATISTICS
        ]
    )


def labelled(data: MotionDataModule, split: str) -> Iterator[Batch]:
    """The whole clips of a split that are of one of the classes, as a test shows them."""
    for loader in data.whole_clips(split):
        for batch in loader:
            if batch["has_label"][0]:
                yield batch


def _training_views(data: MotionDataModule) -> Iterator[Batch]:
    """Whole training clips, each in several cameras; without labels of a body, which take time and play no part."""
    sources = [
        replace(clip, smpl_pose=None, betas=None, transl=None, body=None) if isinstance(clip, MotionClip) else clip
        for clip in data.sources("train")
    ]
    options: dict[str, Any] = {"view": data.view, "bodies": data.bodies, "classes": data.classes}
    if data.clip_sampling is not None:
        options |= {"sampling": replace(data.clip_sampling, test_clips=1)}
    recordings, count = data.recordings(data.sources("train")), len(sources)
    if recordings is not None:
        options["recordings"] = [
            [place + count * view for place in own] for view in range(TRAINING_VIEWS) for own in recordings
        ]
    frames = data.frames if data.clip_sampling else None
    windows = EvaluationWindows(
        sources * TRAINING_VIEWS, frames=frames, max_windows=None, max_fps=data.max_fps, **options
    )
    for number in range(len(windows)):
        row = windows[number]
        if row["has_label"]:
            yield cast(Batch, default_collate([row]))


def _table(batches: Iterator[Batch], split: str) -> tuple[Float64[np.ndarray, "N features"], Int[np.ndarray, "N"]]:
    rows = [(statistics(batch), int(batch["label"][0])) for batch in batches]
    if not rows:
        raise InputError(f"no clip of split {split} is of one of data.init_args.classes: the regression needs some")
    return np.stack([features for features, _ in rows]), np.array([label for _, label in rows])


def refuse_other_classes(runs: Sequence[Trained], data: MotionDataModule) -> None:
    """Refuse runs that tell other classes apart than the data names.

    Raises:
        InputError: there is one.
    """
    for trained in runs:
        _, head = find_head(trained.run, ActionHead)
        if head.classes != data.classes:
            raise InputError(
                f"{trained.run.checkpoint} tells apart {', '.join(head.classes)}, data.init_args.classes are "
                f"{', '.join(data.classes)}: give the configs that it was fitted with"
            )
