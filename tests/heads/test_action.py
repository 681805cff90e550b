"""The action head: loss against a direct computation, persons, classes in checkpoints, and that it can learn."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from hummuss import HumMUSS, InputError
from hummuss.data import SyntheticDataModule
from hummuss.heads import ActionHead
from hummuss.inference.strategy import Inference

CLASSES = ["walk", "run", "jump"]


def make_batch(batch: int = 4, frames: int = 6, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    valid = torch.ones(batch, frames, dtype=torch.bool)
    valid[0, -2:] = False
    return {
        "keypoints": torch.rand(batch, frames, 17, 3, generator=generator),
        "dt": torch.full((batch, frames), 0.02),
        "valid": valid,
        "label": torch.tensor([0, 1, 2, -1])[:batch],
        "has_label": torch.tensor([True, True, True, False])[:batch],
        "sample": torch.arange(batch) + 10,
    }


def test_loss_is_smoothed_cross_entropy_over_labelled_samples() -> None:
    torch.manual_seed(0)
    head, batch = ActionHead(8, hidden=16, label_smoothing=0.2, classes=CLASSES).eval(), make_batch()
    prediction = head(torch.randn(4, 6, 17, 8), batch)
    (loss,) = head.loss(prediction, batch).values()
    logits, expected = prediction["logits"].detach().double().numpy(), []
    for clip, label in enumerate([0, 1, 2]):
        log_probability = logits[clip] - np.log(np.exp(logits[clip]).sum())
        target = np.full(3, 0.2 / 3)
        target[label] += 0.8
        expected.append(-(target * log_probability).sum())
    assert float(loss.detach()) == pytest.approx(np.mean(expected), rel=1e-5)


def test_padding_counts_nothing() -> None:
    head, batch = ActionHead(8, hidden=16, classes=CLASSES).eval(), make_batch()
    representation = torch.randn(4, 6, 17, 8)
    before = head(representation, batch)["logits"]
    representation[0, -2:] += 100
    torch.testing.assert_close(head(representation, batch)["logits"], before)


def test_the_persons_of_a_sample_are_one() -> None:
    torch.manual_seed(0)
    head, batch = ActionHead(8, hidden=16, classes=CLASSES).eval(), make_batch()
    representation = torch.randn(4, 6, 17, 8)
    batch["valid"][:] = True
    together = batch | {"sample": torch.tensor([5, 5, 6, 7]), "label": torch.tensor([1, 1, 2, -1])}
    prediction = head(representation, together)
    torch.testing.assert_close(prediction["logits"][0], prediction["logits"][1])
    both = representation[:2].mean((0, 1)).flatten()  # the mean over persons and frames
    torch.testing.assert_close(prediction["logits"][0], head.classify(head.embed(both)))
    # Two persons weigh as much as one.
    terms = -prediction["logits"].log_softmax(1)
    smooth = 0.9 * terms[[0, 2], [1, 2]] + 0.1 * terms[[0, 2]].mean(1)
    torch.testing.assert_close(head.loss(prediction, together)["classes"], smooth.mean())


def test_no_labels_no_loss() -> None:
    head, batch = ActionHead(8, hidden=16, classes=CLASSES), make_batch()
    batch["has_label"][:] = False
    loss = head.loss(head(torch.randn(4, 6, 17, 8, requires_grad=True), batch), batch)["classes"]
    loss.backward()
    assert float(loss.detach()) == 0


def test_classes_come_from_the_data_and_stay_in_the_checkpoint() -> None:
    data, head = SyntheticDataModule(train_clips=30, val_clips=2, test_clips=2), ActionHead(8, hidden=16)
    with pytest.raises(ValueError, match="no classes yet"):
        head(torch.randn(4, 6, 17, 8), make_batch())
    head.check_data(data)
    assert head.classes == data.classes
    assert (
        head.baseline(make_batch())["logits"].argmax(1).tolist() == [0] * 4
    )  # the actions take turns, the first leads
    again = ActionHead(8, hidden=16)
    again.load_state_dict(head.state_dict())
    assert again.classes == data.classes
    wide = ActionHead(8, hidden=16).double()
    wide.load_state_dict(head.state_dict())
    assert {value.dtype for value in wide.parameters()} == {torch.float64}
    batch, representation = make_batch(), torch.randn(4, 6, 17, 8)
    torch.testing.assert_close(
        again.eval()(representation, batch)["logits"], head.eval()(representation, batch)["logits"]
    )
    with pytest.raises(InputError, match=r"the checkpoint tells apart walk, run"):
        ActionHead(8, hidden=16, classes=CLASSES).load_state_dict(head.state_dict())
    with pytest.raises(InputError, match="the head tells apart walk, run, jump, but"):
        ActionHead(8, classes=CLASSES).check_data(data)
    data.classes = []
    with pytest.raises(InputError, match=r"data\.init_args\.classes"):
        ActionHead(8).check_data(data)


class Labelled(SyntheticDataModule):
    """Performances by other names."""

    def labels(self, split: str) -> Sequence[str | None]:  # type: ignore[override]
        return ["run", None, "walk", "run", "walk", "run"]

    def seconds(self, split: str) -> list[float]:
        return [1.0, 5.0, 2.0, 3.0, 2.0, 4.0]


def test_a_class_that_was_mistyped_is_not_taken_for_one_without_clips() -> None:
    data = Labelled()
    data.classes = ["run", "walkk"]
    with pytest.raises(
        InputError, match=r"no training clip is labelled 'walkk' of .*, but some are 'walk': is that one"
    ):
        ActionHead(8).check_data(data)
    data.classes = ["run", "swim"]
    ActionHead(8).check_data(data)


def test_a_test_needs_no_training_clips() -> None:
    class OnlyTest(SyntheticDataModule):
        def labels(self, split: str) -> Sequence[str | None]:
            return [] if split == "train" else super().labels(split)

    data = OnlyTest()
    head = ActionHead(8, classes=data.classes)
    head.majority.fill_(3)
    head.check_data(data)
    assert head.baseline(make_batch())["logits"].argmax(1).tolist() == [3] * 4, "that of its checkpoint"


def test_the_majority_is_of_clips_and_balance_is_of_seconds() -> None:
    data = Labelled(balance_classes=False)
    head = ActionHead(8)
    head.check_data(data)
    assert head.baseline(make_batch())["logits"].argmax(1).tolist() == [head.classes.index("run")] * 4
    assert data._shares() == [1.0, 5.0, 2.0, 3.0, 2.0, 4.0]
    data.balance_classes = True
    run, walk = (1 / 8, 3 / 8, 4 / 8), (1 / 2, 1 / 2)
    np.testing.assert_allclose(data._shares(), [run[0], 1, walk[0], run[1], walk[1], run[2]])


def test_windows_of_a_clip_are_averaged_in_probability() -> None:
    torch.manual_seed(0)
    model = torch.nn.Module()
    model.backbone, model.heads = HumMUSS(dim=8, depth=1, modes=2), {"action": ActionHead(8, hidden=8, classes=CLASSES)}
    model.heads["action"].eval()

    class Callable(torch.nn.Module):
        backbone, heads = model.backbone, model.heads

        def forward(self, batch):
            return self.decode(self.backbone(batch["keypoints"], batch["dt"], batch["valid"]), batch)

        def decode(self, representation, batch):
            return {"action": self.heads["action"](representation, batch)}

    call = Callable()
    batch = {key: value[1:2] for key, value in make_batch().items()}
    found = Inference(windows=4, stride=2).predict(call, batch, 4)["action"]
    parts = [
        call({**batch, **{key: batch[key][:, start : start + 4] for key in ("keypoints", "dt", "valid")}})
        for start in (0, 2)
    ]
    expected = torch.stack([part["action"]["logits"].softmax(1) for part in parts]).mean(0)
    torch.testing.assert_close(found["logits"].softmax(1), expected)


def test_it_overfits_a_handful_of_clips() -> None:
    torch.manual_seed(0)
    batch = make_batch()
    backbone, head = HumMUSS(dim=16, depth=1, modes=4), ActionHead(16, hidden=32, dropout=0.0, classes=CLASSES)
    optimiser = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=5e-3)
    for _ in range(60):
        prediction = head(backbone(batch["keypoints"], batch["dt"], batch["valid"]), batch)
        loss = head.loss(prediction, batch)["classes"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    metrics = head.metrics()
    head.score(metrics, {name: value.detach() for name, value in prediction.items()}, batch)
    assert {name: float(value) for name, value in metrics.compute().items()} == {"top1": 100.0, "mean_class": 100.0}
    assert float(loss.detach()) < 0.5  # the smoothed target itself has an entropy of 0.29
