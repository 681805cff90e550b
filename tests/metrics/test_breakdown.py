"""Figures per action and per joint: hand-computed, and consistent with the metric they break down."""

import pickle

import pytest
import torch
from torchmetrics import MetricCollection

from hummuss.metrics import MPJPE, MPVE, PAMPJPE, PCK, AccelerationError, PerGroup, PerJoint

NAMES = ["Directions", "Eating", "Walking", "Waiting"]


def make_batch(seed: int, clips: int = 12) -> dict[str, torch.Tensor]:
    """Clips of the first three groups, unevenly many, with padding and hidden joints."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(clips, 6, 17, 3, generator=generator)
    return {
        "group": torch.arange(clips).sqrt().long() % 3,
        "predicted": target + 0.1 * torch.randn(target.shape, generator=generator),
        "target": target,
        "valid": torch.arange(6) < torch.randint(3, 7, (clips, 1), generator=generator),
        "visible": torch.rand(clips, 6, 17, generator=generator) < 0.9,
        "dt": torch.full((clips, 6), 0.02),
    }


def plain(figures: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in figures.items()}


def test_actions_of_unequal_length_by_hand():
    metric = PerGroup(MPJPE(), NAMES)
    target = torch.zeros(3, 4, 2, 3)
    predicted = target.clone()
    predicted[..., 0] = torch.tensor([0.01, 0.02, 0.06])[:, None, None]
    valid = torch.tensor([[True] * 4, [True] * 2 + [False] * 2, [True] + [False] * 3])
    metric.update(group=torch.tensor([1, 1, 2]), predicted=predicted, target=target, valid=valid)
    eating = (4 * 10 + 2 * 20) / 6
    expected = {"Eating": eating, "Walking": 60, "mean": (eating + 60) / 2, "frames": (4 * 10 + 2 * 20 + 60) / 7}
    figures = plain(metric.compute())
    assert {name: figures[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert list(figures) == [*NAMES, "mean", "frames"]
    # Nothing of these was seen: no figure, and no part in the mean.
    assert all(torch.tensor(figures[name]).isnan() for name in ("Directions", "Waiting"))


@pytest.mark.parametrize("make", [MPJPE, PAMPJPE, PCK, AccelerationError])
def test_each_group_is_the_metric_on_its_clips(make):
    batch = make_batch(0)
    broken, whole = PerGroup(make(), NAMES), make()
    for part in (slice(0, 5), slice(5, 6), slice(6, None)):
        broken.update(**{key: value[part] for key, value in batch.items()})
    figures = plain(broken.compute())
    for number, name in enumerate(NAMES[:3]):
        alone = make()
        of_group = {key: value[batch["group"] == number] for key, value in batch.items()}
        alone.update(**alone._filter_kwargs(**of_group))
        assert figures[name] == pytest.approx(alone.compute().item(), rel=1e-6)
    whole.update(**whole._filter_kwargs(**batch))
    assert figures["frames"] == pytest.approx(whole.compute().item(), rel=1e-6)
    assert figures["mean"] == pytest.approx(sum(figures[name] for name in NAMES[:3]) / 3, rel=1e-6)
    assert figures["mean"] != pytest.approx(figures["frames"], rel=1e-4)


def test_each_joint_is_the_metric_on_that_joint():
    batch = make_batch(1)
    metric = PerJoint(MPJPE(), [str(joint) for joint in range(17)])
    batch["visible"][:, :, 4] = False
    for part in (slice(0, 5), slice(5, None)):
        metric.update(**{key: value[part] for key, value in batch.items()})
    figures = plain(metric.compute())
    errors = 1000 * (batch["predicted"] - batch["target"]).norm(dim=-1)
    for joint in set(range(17)) - {4}:
        counted = batch["valid"] & batch["visible"][..., joint]
        assert figures[str(joint)] == pytest.approx(errors[..., joint][counted].mean().item(), rel=1e-5)
    assert torch.tensor(figures["4"]).isnan()


def test_breakdowns_of_many_metrics_share_one_call():
    batch = make_batch(2)
    metrics = MetricCollection(
        {
            "actions": PerGroup(MPJPE(), NAMES),
            "tight": PerGroup(PCK(100.0), NAMES),
            "loose": PerGroup(PCK(1e9), NAMES),
            "joints": PerJoint(MPJPE(), [str(joint) for joint in range(17)]),
            "mpjpe": MPJPE(),
        }
    )
    metrics.update(**(batch | {"predicted": batch["target"]}))  # all right: equal states where names are equal
    metrics.update(**batch)
    figures = plain(metrics.compute())
    assert figures["loose_frames"] == 100 > figures["tight_frames"]
    assert figures["actions_frames"] == pytest.approx(figures["mpjpe"])


def test_vertices_by_group():
    metric = PerGroup(MPVE(), NAMES)
    vertices = torch.zeros(2, 3, 30, 3)
    moved = vertices + torch.tensor([0.01, 0.0, 0.0])
    metric.update(
        group=torch.tensor([0, 3]),
        predicted_vertices=moved,
        target_vertices=vertices,
        valid_vertices=torch.tensor([[True] * 3, [False] * 3]),
    )
    figures = plain(metric.compute())
    assert figures["Directions"] == figures["mean"] == figures["frames"] == pytest.approx(10)
    assert torch.tensor(figures["Waiting"]).isnan(), "clips without a valid frame are nothing seen"


def test_a_nan_shows_in_its_group_and_the_means():
    batch = make_batch(3)
    batch["predicted"][0] = torch.nan
    metric = PerGroup(MPJPE(), NAMES)
    metric.update(**batch)
    missing = {name for name, value in metric.compute().items() if value.isnan()}
    assert missing == {NAMES[int(batch["group"][0])], "Waiting", "mean", "frames"}


def test_empty_batches_resets_and_copies():
    batch = make_batch(4)
    for metric in (PerGroup(MPJPE(), NAMES), PerJoint(MPJPE(), [str(joint) for joint in range(17)])):
        metric.update(**{key: value[:0] for key, value in batch.items()})
        assert all(value.isnan() for value in metric.compute().values())
        metric.update(**batch)
        figures = plain(metric.compute())
        assert plain(pickle.loads(pickle.dumps(metric)).compute()) == pytest.approx(figures, nan_ok=True)
        metric.reset()
        metric.update(**batch)
        assert plain(metric.compute()) == pytest.approx(figures, nan_ok=True)


def test_what_cannot_be_broken_down_is_refused():
    batch = make_batch(5)
    for group in (-1, 4):
        with pytest.raises(ValueError, match=rf"numbered 0 to 3, got \[.*{group}"):
            PerGroup(MPJPE(), NAMES).update(**(batch | {"group": torch.full((12,), group)}))
    with pytest.raises(ValueError, match="2 joints are named, the points have 17"):
        PerJoint(MPJPE(), ["left", "right"]).update(**batch)
    with pytest.raises(ValueError, match="once only"):
        PerGroup(MPJPE(), ["Eating", "Eating"])
    for name in ("mean", "frames"):
        with pytest.raises(ValueError, match=f"named {name!r}"):
            PerGroup(MPJPE(), ["Eating", name])
