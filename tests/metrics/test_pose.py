"""The metric classes: what counts, how batches add up, and life inside a MetricCollection."""

import math
import pickle
import warnings

import pytest
import torch
from torchmetrics import MetricCollection

from hummuss.metrics import (
    AUC,
    MPJPE,
    MPJVE,
    MPVE,
    NMPJPE,
    PAMPJPE,
    PCK,
    AccelerationError,
    AccelerationErrorPerFrame,
    functional,
)

NAMES = {
    "mpjpe": MPJPE,
    "pa_mpjpe": PAMPJPE,
    "n_mpjpe": NMPJPE,
    "mpve": MPVE,
    "accel": AccelerationError,
    "accel_frame": AccelerationErrorPerFrame,
    "mpjve": MPJVE,
    "pck": PCK,
    "auc": AUC,
}
POSE_NAMES = [name for name in NAMES if name != "mpve"]


def collection() -> MetricCollection:
    return MetricCollection({name: metric() for name, metric in NAMES.items()})


def make_batch(seed: int, clips: int = 6, frames: int = 9) -> dict[str, torch.Tensor]:
    """Random poses whose clips are padded at the front and the back."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(clips, frames, 17, 3, generator=generator)
    vertices = torch.randn(clips, frames, 30, 3, generator=generator)
    valid = torch.ones(clips, frames, dtype=torch.bool)
    valid[0, 5:] = False
    valid[1, :4] = False
    valid[2] = False
    return {
        "predicted": target + 0.1 * torch.randn(target.shape, generator=generator),
        "target": target,
        "predicted_vertices": vertices + 0.1 * torch.randn(vertices.shape, generator=generator),
        "target_vertices": vertices,
        "dt": 0.02 + 0.02 * torch.rand(clips, frames, generator=generator),
        "valid": valid,
    }


def expected(batch: dict[str, torch.Tensor]) -> dict[str, float]:
    """Plain loops over clips of the per-frame errors at valid frames, and at triples of them."""
    pairs = {name: getattr(functional, name) for name in ("mpjpe", "pa_mpjpe", "n_mpjpe", "pck", "auc")}
    values: dict[str, list[float]] = {name: [] for name in NAMES}
    for clip in range(len(batch["valid"])):
        frames = batch["valid"][clip].nonzero().flatten()  # contiguous
        x, y, dt = (batch[key][clip, frames].double() for key in ("predicted", "target", "dt"))
        for name, function in pairs.items():
            values[name] += function(x, y).tolist()
        vertices = (batch[key][clip, frames] for key in ("predicted_vertices", "target_vertices"))
        values["mpve"] += functional.mpve(*vertices).tolist()
        values["mpjve"] += functional.mpjve(x, y, dt).tolist()
        values["accel"] += functional.acceleration_error(x, y, dt).tolist()
        values["accel_frame"] += functional.acceleration_error_per_frame(x, y).tolist()
    return {name: sum(of_frames) / len(of_frames) for name, of_frames in values.items()}


def update(metrics: MetricCollection, batch: dict[str, torch.Tensor]) -> None:
    """One call with everything; the vertices' mask is the joints' here."""
    metrics.update(**batch, **({"valid_vertices": batch["valid"]} if "valid" in batch else {}))


def assert_equal(metrics: MetricCollection, figures: dict[str, float]) -> None:
    computed = {name: value.item() for name, value in metrics.compute().items()}
    assert computed == pytest.approx(figures, rel=1e-4)


def test_one_keyword_call_serves_the_whole_collection():
    metrics, batch = collection(), make_batch(0)
    update(metrics, batch)
    assert_equal(metrics, expected(batch))


def test_the_pose_heads_collection_needs_no_vertices():
    metrics, batch = collection(), make_batch(0)
    pose = MetricCollection({name: metrics[name] for name in NAMES if name != "mpve"})
    pose.update(**{key: batch[key] for key in ("predicted", "target", "valid", "dt")})
    assert_equal(pose, {name: value for name, value in expected(batch).items() if name != "mpve"})


def test_joints_and_vertices_have_masks_of_their_own():
    metrics, batch = collection(), make_batch(0)
    nothing = torch.zeros_like(batch["valid"])
    metrics.update(**batch, valid_vertices=nothing)
    assert metrics["mpve"].compute().isnan()
    assert not metrics["mpjpe"].compute().isnan()
    metrics.reset()
    metrics.update(**(batch | {"valid": nothing}), valid_vertices=batch["valid"])
    assert metrics["mpve"].compute().item() == pytest.approx(expected(batch)["mpve"])
    assert metrics["mpjpe"].compute().isnan()


@pytest.mark.parametrize("first", ["padding", "perfect"])
def test_metrics_stay_apart_when_the_first_batch_gives_them_equal_states(first):
    metrics, batch, beginning = collection(), make_batch(1), make_batch(2)
    if first == "padding":
        beginning["valid"] = torch.zeros_like(beginning["valid"])
        seen = batch
    else:
        beginning |= {"predicted": beginning["target"], "predicted_vertices": beginning["target_vertices"]}
        seen = {key: torch.cat([beginning[key], batch[key]]) for key in batch}
    update(metrics, beginning)
    update(metrics, batch)
    assert_equal(metrics, expected(seen))


@pytest.mark.parametrize("sizes", [[6], [1] * 6, [2, 4], [5, 1]])
def test_batches_split_anyhow_add_up(sizes):
    metrics, batch = collection(), make_batch(3)
    for part in zip(*(tensor.split(sizes) for tensor in batch.values()), strict=True):
        update(metrics, dict(zip(batch, part, strict=True)))
    assert_equal(metrics, expected(batch))


@pytest.mark.parametrize("filler", [0.0, 1e6, math.nan, math.inf])
def test_padding_changes_nothing(filler):
    metrics, batch = collection(), make_batch(4)
    figures = expected(batch)
    for key in set(batch) - {"valid"}:
        batch[key][~batch["valid"]] = filler
    update(metrics, batch)
    assert_equal(metrics, figures)


def test_acceleration_counts_a_triple_only_where_all_three_frames_are_valid():
    target = torch.zeros(1, 7, 17, 3)
    predicted = target.clone()
    predicted[0, 3] = 1.0  # the invalid frame splits the clip into 0-2 and 4-6, both at rest
    valid = torch.tensor([[True, True, True, False, True, True, True]])
    for metric, extra in ((AccelerationError(), {"dt": torch.ones(1, 7)}), (AccelerationErrorPerFrame(), {})):
        metric.update(predicted=predicted, target=target, valid=valid, **extra)
        assert metric.compute() == 0
        predicted[0, 1, :, 0] = 0.25  # second difference -0.5 in one of the two triples that count
        metric.reset()
        metric.update(predicted=predicted, target=target, valid=valid, **extra)
        assert metric.compute() == (0.25 if extra else 250)
        predicted[0, 1] = 0


def test_every_visible_joint_weighs_the_same():
    metrics, batch = collection(), make_batch(11)
    batch["visible"] = torch.rand((*batch["valid"].shape, 17), generator=torch.Generator().manual_seed(0)) < 0.6
    batch["visible"][3, 2] = False  # a frame that shows nothing
    batch["visible"][4, 2] = torch.arange(17) == 5  # a frame of one joint
    counted = batch["visible"] & batch["valid"][..., None]
    predicted, target, dt = (batch[key].double() for key in ("predicted", "target", "dt"))
    figures: dict[str, list[float]] = {name: [] for name in POSE_NAMES}
    for clip, frame in batch["valid"].nonzero().tolist():
        shown = counted[clip, frame]
        for name in ("mpjpe", "pa_mpjpe", "n_mpjpe", "pck", "auc"):
            # The frame without its hidden joints, as often as it has joints.
            mean = getattr(functional, name)(predicted[clip, frame, shown], target[clip, frame, shown])
            figures[name] += [mean.item()] * int(shown.sum())
    for clip, frame, joint in counted.nonzero().tolist():
        for name, span in {"mpjve": 2, "accel": 3, "accel_frame": 3}.items():
            run = (clip, slice(frame, frame + span), slice(joint, joint + 1))
            if frame + span > counted.shape[1] or not counted[run].all():
                continue
            x, y, seconds = predicted[run], target[run], dt[clip, frame : frame + span]
            if name == "mpjve":
                value = functional.mpjve(x, y, seconds)
            elif name == "accel":
                value = functional.acceleration_error(x, y, seconds)
            else:
                value = functional.acceleration_error_per_frame(x, y)
            figures[name].append(value.item())
    batch["predicted"][~counted] = math.nan
    update(metrics, batch)
    means = {name: sum(values) / len(values) for name, values in figures.items()}
    computed = {name: metrics[name].compute().item() for name in POSE_NAMES}
    assert computed == pytest.approx(means, rel=1e-4)


def test_thresholds_of_pck_stay_apart_in_one_collection():
    metrics = MetricCollection({"tight": PCK(10.0), "loose": PCK(250.0)})
    point = torch.zeros(1, 1, 3)
    metrics.update(predicted=point, target=point)  # 100 % either way: equal states
    metrics.update(predicted=point + torch.tensor([0.1, 0.0, 0.0]), target=point)
    assert {name: value.item() for name, value in metrics.compute().items()} == {"tight": 50, "loose": 100}


@pytest.mark.parametrize("shape", [(0, 9), (6, 0)])
def test_an_empty_batch_adds_nothing(shape):
    metrics, batch = collection(), make_batch(12)
    empty = {key: tensor[: shape[0], : shape[1]] for key, tensor in batch.items()}
    update(metrics, empty)
    assert all(value.isnan() for value in metrics.compute().values())
    update(metrics, batch)
    assert_equal(metrics, expected(batch))


def test_all_frames_count_without_valid():
    metrics, batch = collection(), make_batch(5)
    del batch["valid"]
    update(metrics, batch)
    assert_equal(metrics, expected(batch | {"valid": torch.ones(6, 9, dtype=torch.bool)}))


def test_nothing_valid_gives_nan_in_silence():
    metrics, batch = collection(), make_batch(6)
    batch["valid"] = torch.zeros_like(batch["valid"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        update(metrics, batch)
        assert all(value.isnan() for value in metrics.compute().values())


def test_reset_and_pickling():
    metrics, batch, other = collection(), make_batch(7), make_batch(8)
    update(metrics, other)
    metrics.reset()
    update(metrics, batch)
    copy = pickle.loads(pickle.dumps(metrics))
    assert_equal(copy, expected(batch))
    update(copy, other)
    assert_equal(copy, expected({key: torch.cat([batch[key], other[key]]) for key in batch}))
    assert_equal(metrics, expected(batch))


def test_the_mean_is_over_all_processes_frames():
    batch, other = make_batch(9), make_batch(10, clips=3)
    for name, metric_class in NAMES.items():
        mine, theirs = metric_class(), metric_class()
        for metric, seen in ((mine, batch), (theirs, other)):
            metric.update(**metric._filter_kwargs(**seen, valid_vertices=seen["valid"]))
        partner = dict(zip(mine._defaults, theirs._defaults, strict=True))
        remote = iter([getattr(theirs, state) for state in partner.values()])
        mine.distributed_available_fn = lambda: True
        mine.dist_sync_fn = lambda state, group, remote=remote: [state, next(remote)]
        both = expected({key: torch.cat([batch[key], other[key]]) for key in batch})
        assert mine.compute().item() == pytest.approx(both[name], rel=1e-4)


def test_many_small_errors_do_not_drown_in_the_sum():
    metric, frame = MPJPE(), torch.zeros(1, 1, 3)
    metric.update(frame + 1e6, frame)
    for _ in range(100):
        metric.update(frame + torch.tensor([1e-3, 0, 0]), frame)
    assert metric.mpjpe_total.item() - functional.mpjpe(frame + 1e6, frame).item() == pytest.approx(100, rel=1e-3)
