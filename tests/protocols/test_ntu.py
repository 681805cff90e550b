"""NTU's official splits, accuracies against scikit-learn, one-shot against a loop."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score, top_k_accuracy_score

from hummuss.data.readers.ntu_splits import EXEMPLARS, NOVEL, TEST_RECORDINGS, recording
from hummuss.errors import InputError
from hummuss.protocols import NTU, TestClips


def name(setup=1, camera=1, performer=3, replication=1, action=1) -> str:
    return f"S{setup:03}C{camera:03}P{performer:03}R{replication:03}A{action:03}"


def run(made, protocol, clips, batches, entry):
    shown = TestClips({"": clips}, [f"A{action:03}" for action in range(1, 121)])
    protocol.check(shown)
    evaluation = protocol.evaluation(made.Known(), shown)
    for numbers, values in batches:
        labels = torch.tensor([recording(clips[number].name).action - 1 for number in numbers])
        evaluation.update({entry: values}, {"label": labels}, torch.tensor(numbers))
    return evaluation.result()


def test_accuracies_against_scikit_learn_with_persons_and_windows_averaged(made) -> None:
    rng = np.random.default_rng(0)
    actions = rng.integers(1, 61, 80)
    clips, owner = [], []
    for number, action in enumerate(actions):
        for person in range(1 + number % 2):
            clips.append(made.clip(f"{name(1 + number % 17, 1, 3, 1 + number // 17, action)}/{person}", 2))
            owner.append(recording(clips[-1].name))
    shown = [*range(len(clips)), *range(0, len(clips), 3)]  # every third clip in two windows
    logits = torch.from_numpy(rng.normal(0, 2, (len(shown), 60)))
    for row, number in enumerate(shown):
        logits[row, owner[number].action - 1] += 3
    batches = [(shown[i : i + 16], logits[i : i + 16]) for i in range(0, len(shown), 16)]
    result = run(made, NTU("xsub", 60), clips, batches, "logits")

    probabilities = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    keys = sorted(set(owner))
    scores = np.stack([probabilities[[owner[n] == key for n in shown]].mean(0) for key in keys])
    true = np.array([key.action - 1 for key in keys])
    (row,) = result.rows
    assert row.count == len(keys)
    assert row.figures["top1"] == pytest.approx(100 * accuracy_score(true, scores.argmax(1)))
    assert row.figures["top5"] == pytest.approx(100 * top_k_accuracy_score(true, scores, k=5, labels=range(60)))
    recalls = recall_score(true, scores.argmax(1), labels=np.unique(true), average=None)
    assert row.figures["mean_class"] == pytest.approx(100 * recalls.mean())
    assert 20 < row.figures["top1"] < row.figures["top5"] <= 100
    assert result.notes == ["80 recordings; the official test has 16,487 or 16,560"], "persons are no recordings"
    np.testing.assert_array_equal(result.confusion, confusion_matrix(true, scores.argmax(1), labels=range(60)))


def test_one_shot_against_a_loop_over_exemplars(made) -> None:
    rng = np.random.default_rng(1)
    names = [*EXEMPLARS, *(name(3, 1, 2, 1, int(action)) for action in rng.choice(NOVEL, 15, replace=False))]
    clips = [made.clip(one, 2) for one in names]
    centres = {action: rng.normal(size=8) for action in NOVEL}
    # Two windows of each; cosine: an embedding's length says nothing.
    windows = np.stack([centres[recording(one).action] + rng.normal(0, 1.3, 8) for one in [*names, *names]])
    windows *= rng.uniform(0.1, 10, (len(windows), 1))
    order = rng.permutation(len(windows))
    batches = [
        ((order[i : i + 8] % len(names)).tolist(), torch.from_numpy(windows[order[i : i + 8]]))
        for i in range(0, len(order), 8)
    ]
    result = run(made, NTU("oneshot", 120), clips, batches, "embedding")
    units = windows / np.linalg.norm(windows, axis=1, keepdims=True)
    embeddings = (units[: len(names)] + units[len(names) :]) / 2
    hits, top5 = [], []
    for query, one in zip(embeddings[20:], names[20:], strict=True):
        cosine = [query @ e / np.linalg.norm(query) / np.linalg.norm(e) for e in embeddings[:20]]
        ranked = [NOVEL[i] for i in np.argsort(cosine)[::-1]]
        hits.append(ranked[0])
        top5.append(recording(one).action in ranked[:5])
    (row,) = result.rows
    assert row.count == 15, "exemplars are not scored"
    assert result.notes == [], "nobody says how many there are"
    true = [recording(one).action for one in names[20:]]
    assert row.figures["top1"] == pytest.approx(100 * np.mean(np.array(hits) == true))
    assert row.figures["top5"] == pytest.approx(100 * np.mean(top5))
    assert 0 < row.figures["top1"] < 100
    np.testing.assert_array_equal(result.confusion, confusion_matrix(true, hits, labels=NOVEL))


def test_what_is_not_the_benchmarks_test_part_is_refused(made) -> None:
    with pytest.raises(InputError, match="xview is defined for 60 classes, not for 120"):
        NTU("xview", 120)
    with pytest.raises(InputError, match="oneshot is defined for 120 classes, not for 60"):
        NTU("oneshot", 60)
    with pytest.raises(InputError, match="A005 is in the train part of xsub"):
        NTU("xsub", 60).check(TestClips({"": [made.clip(name(performer=1, action=5))]}))
    with pytest.raises(InputError, match="is in the val part of xview"):
        NTU("xview", 60).check(TestClips({"": [made.clip(name(camera=3, performer=38))]}))
    with pytest.raises(InputError, match="A061 is of a class beyond the 60"):
        NTU("xsub", 60).check(TestClips({"": [made.clip(name(action=61))]}))
    with pytest.raises(InputError, match="every exemplar in the test split, S018C003P008R001A115 not found"):
        NTU("oneshot", 120).check(TestClips({"": [made.clip(one) for one in EXEMPLARS[:-1]]}))


def test_both_parts_of_a_benchmark_are_what_standard_loaders_count() -> None:
    trained = {("xsub", 60): 40_091, ("xview", 60): 37_646, ("xsub", 120): 63_026, ("xset", 120): 54_468}
    for benchmark, count in trained.items():
        assert count + TEST_RECORDINGS[benchmark][0] == {60: 56_880 - 302, 120: 114_480 - 535}[benchmark[1]]


def test_class_numbers_must_be_the_official_ones(made) -> None:
    clips = [made.clip(name(action=5))]
    evaluation = NTU().evaluation(made.Known(), TestClips({"": clips}))
    with pytest.raises(
        InputError, match=r"a clip of A005 has the class number 7: data.init_args.classes must list all"
    ):
        evaluation.update({"logits": torch.zeros(1, 60)}, {"label": torch.tensor([7])}, torch.tensor([0]))
    with pytest.raises(InputError, match="ntu scores 60 classes, the head predicts 12"):
        evaluation.update({"logits": torch.zeros(1, 12)}, {"label": torch.tensor([4])}, torch.tensor([0]))
