"""The embedding head: its loss against loops in float64, its metric against scikit-learn, draws by class, learning."""

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from hummuss import HumMUSS, InputError, MotionModule
from hummuss.data import Camera, ClipSampling, MotionClip, StoreDataModule, StoreWriter, SyntheticDataModule
from hummuss.data.readers.ntu_splits import EXEMPLARS, recording
from hummuss.heads import EmbeddingHead
from hummuss.heads.embedding import supervised_contrastive
from hummuss.metrics import OneShotAccuracy
from hummuss.protocols import NTU


def units(count: int, dim: int = 5, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=1)


def test_contrastive_loss_is_what_the_paper_says() -> None:
    z, label, temperature = units(7).numpy(), [0, 1, 0, 2, 1, 0, 3], 0.3
    terms = []
    for i in range(7):
        positives = [p for p in range(7) if p != i and label[p] == label[i]]
        below = sum(np.exp(z[i] @ z[a] / temperature) for a in range(7) if a != i)
        if positives:
            terms.append(-np.mean([np.log(np.exp(z[i] @ z[p] / temperature) / below) for p in positives]))
    assert len(terms) == 5
    loss = supervised_contrastive(torch.from_numpy(z), torch.tensor(label), temperature)
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-12)


@pytest.mark.parametrize("labels", [[], [4], [1, 2, 3]])
def test_without_pairs_no_loss_and_no_gradient(labels) -> None:
    z = units(len(labels)).requires_grad_()
    loss = supervised_contrastive(z, torch.tensor(labels, dtype=torch.long), 0.1)
    loss.backward()
    assert float(loss.detach()) == 0
    assert not z.grad.any()


def make_batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    valid = torch.ones(6, 4, dtype=torch.bool)
    valid[1, 2:] = False
    return {
        "keypoints": torch.rand(6, 4, 17, 3, generator=generator), "dt": torch.full((6, 4), 0.04), "valid": valid,
        "label": torch.tensor([0, 0, 1, 0, 1, -1]), "has_label": torch.tensor([True] * 5 + [False]),
        "sample": torch.tensor([3, 3, 4, 5, 6, 7]),
    }  # fmt: skip


def test_persons_share_an_embedding_and_count_once() -> None:
    torch.manual_seed(0)
    head, batch = EmbeddingHead(8, dim=6).eval(), make_batch()
    representation = torch.randn(6, 4, 17, 8)
    embedding = head(representation, batch)["embedding"]
    both = (representation[0].mean(0) + representation[1, :2].mean(0)) / 2
    expected = torch.nn.functional.normalize(head.embed(both.flatten()), dim=0)
    torch.testing.assert_close(embedding[0], expected)
    torch.testing.assert_close(embedding[1], expected)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(6))
    loss = head.loss({"embedding": embedding}, batch)["contrast"]
    once = [0, 2, 3, 4]
    torch.testing.assert_close(loss, supervised_contrastive(embedding[once], batch["label"][once], 0.1))
    assert head.comparison({"embedding": embedding}, batch)["has_label"].tolist() == [
        True,
        False,
        True,
        True,
        True,
        False,
    ]


def test_accuracy_is_the_nearest_first_clips() -> None:
    embedding, rng = units(60, 3).float(), np.random.default_rng(0)
    label, sample = torch.from_numpy(rng.integers(0, 5, 60)), torch.from_numpy(rng.permutation(60))
    metric = OneShotAccuracy()
    for rows in torch.arange(60).split(13):
        metric.update(embedding[rows] * 3, label[rows], sample[rows])
    order = sample.argsort()
    z, true = embedding[order].numpy(), label[order].numpy()
    _, exemplars = np.unique(true, return_index=True)
    others = np.setdiff1d(np.arange(60), exemplars)
    nearest = KNeighborsClassifier(1, metric="cosine").fit(z[exemplars], true[exemplars])
    assert float(metric.compute()) == pytest.approx(100 * nearest.score(z[others], true[others]))
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert OneShotAccuracy().compute().isnan()
    lone = OneShotAccuracy()
    lone.update(embedding[:2], torch.tensor([0, 1]), torch.tensor([0, 1]))
    assert lone.compute().isnan()
    unlabelled = OneShotAccuracy()
    unlabelled.update(embedding[:3], torch.tensor([0, 0, -1]), torch.arange(3), torch.tensor([True, True, False]))
    assert float(unlabelled.compute()) == 100


def test_draws_come_in_groups_of_a_class() -> None:
    options = {"train_clips": 60, "frames": 3, "batch_size": 4, "windows_per_epoch": 80, "flip": 0.0}
    data = SyntheticDataModule(clips_per_class=2, **options)
    windows = data.train_dataloader().dataset
    chosen = [windows._choose(draw, np.random.default_rng([0, 1, draw])) for draw in range(400)]
    labels = np.array([data.classes.index(data.labels("train")[place]) for place in chosen])
    assert (labels[::2] == labels[1::2]).all()
    assert np.mean(np.array(chosen)[::2] != np.array(chosen)[1::2]) > 0.6, "of different clips, mostly"
    assert np.bincount(labels, minlength=12).min() > 10
    batch = next(iter(data.train_dataloader()))
    assert batch["label"].tolist() == labels[:4].tolist()


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="expected a divisor of the batch_size 8"):
        SyntheticDataModule(clips_per_class=3)
    with pytest.raises(InputError, match=r"set data\.init_args\.clips_per_class to 2"):
        EmbeddingHead(8).check_data(SyntheticDataModule())
    data = SyntheticDataModule(clips_per_class=2)
    EmbeddingHead(8).check_data(data)
    data.classes = []
    with pytest.raises(InputError, match="one-shot recognition needs names"):
        EmbeddingHead(8).check_data(data)


def test_a_handful_of_clips_is_learnt() -> None:
    torch.manual_seed(0)
    batch = make_batch() | {"sample": torch.arange(6), "label": torch.tensor([0, 0, 1, 1, 2, 2])}
    batch["has_label"] = torch.ones(6, dtype=torch.bool)
    model = MotionModule(HumMUSS(dim=16, depth=1), {"oneshot": lambda dim: EmbeddingHead(dim, dim=8, dropout=0.0)})
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(80):
        loss = model.heads["oneshot"].loss(model(batch)["oneshot"], batch)["contrast"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.02
    metrics = model.heads["oneshot"].metrics()
    model.heads["oneshot"].score(metrics, model(batch)["oneshot"], batch)
    assert float(metrics.compute()["top1"]) == 100


def quiet_trainer(tmp_path) -> L.Trainer:
    return L.Trainer(
        default_root_dir=tmp_path, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip


def recorded(name: str, person: str = "", frames: int = 12) -> MotionClip:
    rng = np.random.default_rng(list((name + person).encode()))
    keypoints = rng.uniform(100, 900, (frames, 17, 3)).astype(np.float32)
    keypoints[..., 2] = 1
    return MotionClip(
        name=name + person, sequence=name, subject="P003", split="test", label=f"A{int(name[-3:]):03}", fps=30.0,
        frame="camera", camera=Camera.of_size(1000, 1000), keypoints2d=keypoints, person=person or None,
    )  # fmt: skip


def test_one_shot_of_ntu_by_a_test(tmp_path) -> None:
    """Persons in one sample, windows averaged, nearest exemplar: all as a loop over the batches finds it."""
    novel = [("S003C001P002R001A001", ""), ("S003C001P002R001A007", ""), ("S003C001P002R002A055", "")]
    novel += [("S003C001P002R001A055", "/person_1"), ("S003C001P002R001A055", "/person_2")]
    with StoreWriter(tmp_path / "store", {"dataset": "ntu"}) as writer:
        for name in EXEMPLARS:
            writer.add(recorded(name))
        for name, person in novel:
            writer.add(recorded(name, person, frames=30 if person == "/person_1" else 20))
    data = StoreDataModule(
        tmp_path / "store", frames=8, classes=[f"A{action:03}" for action in range(1, 121)], persons_together=True,
        clip_sampling=ClipSampling(test_clips=2), clips_per_class=2,
    )  # fmt: skip
    torch.manual_seed(0)
    head = {"action": lambda dim: EmbeddingHead(dim, dim=8)}
    module = MotionModule(HumMUSS(dim=8, depth=1), head, protocol=NTU("oneshot", 120)).eval()
    quiet_trainer(tmp_path).test(module, data, verbose=False)
    (row,) = module.results["action"]["model"].rows
    assert row.count == 4, "recordings, of which one has two persons"
    (loader,) = data.test_dataloader()
    found = []
    for batch in loader:
        with torch.inference_mode():
            windows = [
                module({key: value[batch["sample"] == one] for key, value in batch.items()})["action"]["embedding"][0]
                for one in batch["sample"].unique()
            ]
        assert len(windows) == 2
        name = data.store.names("test")[int(batch["clip"][0])]
        found.append((recording(name), torch.nn.functional.normalize(torch.stack(windows).mean(0), dim=0)))
    exemplars = {recording(name).action: z for name in EXEMPLARS for key, z in found if key == recording(name)}
    right = [
        max(exemplars, key=lambda action: float(z @ exemplars[action])) == key.action
        for key, z in found
        if key not in [recording(name) for name in EXEMPLARS]
    ]
    assert row.figures["top1"] == pytest.approx(100 * np.mean(right))


def test_other_data_are_scored_as_a_whole(tmp_path) -> None:
    torch.manual_seed(0)
    data = SyntheticDataModule(train_clips=24, test_clips=30, duration=0.4, frames=9, clips_per_class=2)
    module = MotionModule(HumMUSS(dim=8, depth=1), {"action": lambda dim: EmbeddingHead(dim, dim=8)})
    quiet_trainer(tmp_path).test(module, data, verbose=False)
    (row,) = module.results["action"]["model"].rows
    assert (row.part, row.count, list(row.figures)) == ("all", 30, ["top1"])
    assert 0 <= row.figures["top1"] <= 100
