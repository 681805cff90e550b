"""The embedding head: its loss against loops in float64, its metric against scikit-learn, draws by class, learning."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from hummuss import HumMUSS, InputError, MotionModule
from hummuss.data import SyntheticDataModule
from hummuss.heads import EmbeddingHead
from hummuss.heads.embedding import supervised_contrastive
from hummuss.metrics import OneShotAccuracy


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
