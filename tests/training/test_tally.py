"""What a training has been shown."""

import math

import pytest
import torch

from hummuss.data import FrameRateAugmentation, SyntheticDataModule
from hummuss.training.tally import Tally


def batch(*windows: list[float]) -> dict[str, torch.Tensor]:
    """Windows of frames that far apart, seconds, with a padded frame each that counts for nothing."""
    longest = max(map(len, windows)) + 1
    dt, valid = torch.full((len(windows), longest), 9.0), torch.zeros(len(windows), longest, dtype=torch.bool)
    for row, intervals in enumerate(windows):
        dt[row, : len(intervals)] = torch.tensor(intervals)
        valid[row, : len(intervals)] = True
    return {"dt": dt, "valid": valid}


def test_rates_are_those_of_the_slowest_and_the_fastest_window() -> None:
    tally = Tally()
    tally.add(batch([0.04] * 3, [0.1, 0.1, 0.2, 0.1]), processes=1)
    tally.add(batch([0.02] * 5), processes=1)
    tally.count()
    assert tally.frames == 12
    assert tally.told_rates() == [8.0, 50.0], "four frames in half a second, and twenty milliseconds each"


def test_batches_of_several_tasks_count_and_rows_of_nobody_do_not() -> None:
    tally = Tally()
    nobody = batch([0.04], [0.04])
    nobody["valid"][1] = False
    tally.add({"pose": nobody, "mesh": batch([0.5, 0.5])}, processes=2)
    tally.count()
    assert (tally.frames, tally.told_rates()) == (6, [2.0, 25.0])


def test_nothing_is_told_before_anything_was_shown() -> None:
    assert Tally().told_rates() is None


def test_a_training_that_goes_on_keeps_what_was_before() -> None:
    before = Tally()
    before.add(batch([0.1]), processes=1)
    after = Tally()
    after.load_state_dict(before.state_dict())
    after.add(batch([0.02]), processes=1)
    after.count()
    assert (after.frames, after.told_rates()) == (2, [10.0, 50.0])


def test_a_training_that_did_not_note_its_rates_tells_none() -> None:
    tally = Tally()
    tally.load_state_dict({"frames": 100})
    tally.add(batch([0.02]), processes=1)
    tally.count()
    assert (tally.frames, tally.told_rates()) == (101, None)
    assert all(math.isnan(rate) for rate in tally.state_dict()["rates"])


@pytest.mark.parametrize(
    ("strides", "fractional", "expected"),
    [((1.0, 1.0), 0.0, (50.0, 50.0)), ((1.5, 4.9), 0.0, (12.5, 25.0)), ((2.0, 2.0), 0.0, (25.0, 25.0))],
)
def test_windows_of_a_data_module_have_the_rates_that_it_draws(strides, fractional, expected) -> None:
    data = SyntheticDataModule(
        train_clips=2, frames=5, batch_size=4, windows_per_epoch=32,
        frame_rate=FrameRateAugmentation(strides=strides, fractional=fractional),
    )  # fmt: skip
    tally = Tally()
    for shown in data.train_dataloader():
        tally.add(shown, processes=1)
    tally.count()
    assert tally.told_rates() == pytest.approx(expected, abs=0.01)
