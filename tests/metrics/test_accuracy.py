"""Accuracies against scikit-learn, which counts in its own way, and by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import recall_score, top_k_accuracy_score
from torchmetrics import MetricCollection

from hummuss.metrics import MeanClassAccuracy, TopKAccuracy
from hummuss.metrics.accuracy import mean_class_accuracy, top_k_accuracy

CLASSES = 12


def clips(seed: int, count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores that often favour the truth, and labels from all classes but the last two."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(CLASSES - 2, (count,), generator=generator)
    logits = torch.randn(count, CLASSES, generator=generator)
    logits[torch.arange(count), label] += 1
    return logits, label


def collection() -> MetricCollection:
    return MetricCollection(
        {"top1": TopKAccuracy(CLASSES), "top5": TopKAccuracy(CLASSES, k=5), "mean_class": MeanClassAccuracy(CLASSES)}
    )


def by_sklearn(logits: torch.Tensor, label: torch.Tensor) -> dict[str, float]:
    figures = {
        f"top{k}": 100 * float(top_k_accuracy_score(label, logits, k=k, labels=np.arange(CLASSES))) for k in (1, 5)
    }
    recall = recall_score(label, logits.argmax(1), labels=np.unique(label), average="macro", zero_division=0)
    return figures | {"mean_class": 100 * float(recall)}


def computed(metrics: MetricCollection) -> dict[str, float]:
    return {name: value.item() for name, value in metrics.compute().items()}


@pytest.mark.parametrize("seed", range(3))
def test_scikit_learn_agrees(seed):
    logits, label = clips(seed)
    assert (logits.argmax(1) >= CLASSES - 2).any(), "classes that are predicted and never true are the trap"
    expected = by_sklearn(logits, label)
    metrics = collection()
    for part in torch.arange(len(label)).split(60):
        metrics.update(logits=logits[part], label=label[part])
    assert computed(metrics) == pytest.approx(expected, rel=1e-5)
    assert top_k_accuracy(logits, label).item() == pytest.approx(expected["top1"], rel=1e-5)
    assert top_k_accuracy(logits, label, k=5).item() == pytest.approx(expected["top5"], rel=1e-5)
    assert mean_class_accuracy(logits, label).item() == pytest.approx(expected["mean_class"], rel=1e-5)


def test_clips_without_a_label_count_nowhere():
    logits, label = clips(3)
    has_label = torch.rand(len(label), generator=torch.Generator().manual_seed(0)) < 0.5
    expected = by_sklearn(logits[has_label], label[has_label])
    logits[~has_label], label[~has_label] = torch.nan, -1
    metrics = collection()
    metrics.update(logits=logits, label=label, has_label=has_label)
    assert computed(metrics) == pytest.approx(expected, rel=1e-5)


def test_metrics_stay_apart_when_the_first_batch_is_all_right():
    metrics, (logits, label) = collection(), clips(4)
    perfect = 9 * torch.nn.functional.one_hot(label, CLASSES).float()
    metrics.update(logits=perfect, label=label)
    metrics.update(logits=logits, label=label)
    assert computed(metrics) == pytest.approx(
        by_sklearn(torch.cat([perfect, logits]), torch.cat([label] * 2)), rel=1e-5
    )


def test_nothing_to_count_is_not_a_number():
    logits, label = clips(5, count=4)
    assert top_k_accuracy(logits[:0], label[:0]).isnan()
    assert mean_class_accuracy(logits[:0], label[:0]).isnan()
    metrics = collection()
    metrics.update(logits=logits, label=label, has_label=torch.zeros(4, dtype=torch.bool))
    metrics.update(logits=logits[:0], label=label[:0])
    assert all(value.isnan() for value in metrics.compute().values())
    metrics.update(logits=logits, label=label)
    assert computed(metrics) == pytest.approx(by_sklearn(logits, label), rel=1e-5)


def test_what_cannot_be_scored_is_refused():
    logits, label = clips(6, count=4)
    with pytest.raises(ValueError, match="top_k"):
        top_k_accuracy(logits, label, k=CLASSES + 1)
    broken = logits.clone()
    broken[2, 3] = torch.nan
    for refused in (top_k_accuracy, mean_class_accuracy, TopKAccuracy(CLASSES).update):
        with pytest.raises(ValueError, match=r"labels are 0 to 11, got \[-1, 12\]"):
            refused(logits, torch.tensor([0, -1, 2, CLASSES]))
        with pytest.raises(ValueError, match="1 of 4 clips have a score that is NaN"):
            refused(broken, label)
